"""A Chromium to drive: the one that is named, one that is installed, or one that the system's packages bring."""

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGE = "chromium-headless-shell"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def installed() -> Path | None:
    """CHROMIUM, then PATH, then what Playwright has downloaded at some time."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not Path(named).is_file():
            raise FileNotFoundError(f"CHROMIUM names {named}, which is no file")
        return Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    for pattern in ("chromium_headless_shell-*/*/*headless*shell", "chromium-*/*/chrome"):
        downloads = sorted(path for path in cache.glob(pattern) if os.access(path, os.X_OK))
        if downloads:
            return downloads[-1]
    return None


def chromium() -> Path:
    """The program; on Debian, root installs it where there is none.

    Raises:
        RuntimeError: There is none and none can be had. The browser tests fail then; they are never passed over.
    """
    found = installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", PACKAGE]):
            subprocess.run(["apt-get", *command], check=False, stdout=subprocess.DEVNULL, timeout=240)
        found = installed()
    if found is None:
        raise RuntimeError(f"no Chromium: install {PACKAGE} or chromium, or set CHROMIUM to the program")
    return found
