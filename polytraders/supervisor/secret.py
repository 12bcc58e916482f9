"""Secrets of one installation: made on its first start, one file each, readable by nobody else."""

import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
FOLDER: Final = 0o700


def private_folder(folder: Path) -> Path:
    """A folder that only its owner enters; made if it is not there, closed if it stood open."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    if folder.stat().st_mode & 0o077:
        folder.chmod(FOLDER)
    return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; at no moment is it half written or readable by others."""
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


def kept_secret(folder: Path, name: str) -> str:
    """The secret `name` of this installation: 256 bits in URL-safe characters, made when first asked for."""
    path = private_folder(folder / "secrets") / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
