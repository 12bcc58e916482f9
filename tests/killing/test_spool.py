"""Kept kills: on disk, oldest first, once each, and never lost for being unreadable."""

import stat
from pathlib import Path

from polytraders.killing import spool
from polytraders.killing.spool import Kill


def made(key: str, at_ns: int = 1) -> Kill:
    return Kill(key, "global", "", "ada", "", at_ns, 500, "", "endpoint")


def test_a_kept_kill_is_there_until_it_is_done(tmp_path: Path) -> None:
    spool.keep(tmp_path, made("kill:b", 2))
    spool.keep(tmp_path, made("kill:a", 1))
    spool.keep(tmp_path, made("kill:a", 1))
    assert [kill.key for kill in spool.waiting(tmp_path)] == ["kill:a", "kill:b"]
    spool.done(tmp_path, "kill:a")
    spool.done(tmp_path, "kill:a")
    assert spool.waiting(tmp_path) == [made("kill:b", 2)]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    spool.keep(tmp_path, made("kill:a"))
    for path in [tmp_path / spool.FOLDER, *(tmp_path / spool.FOLDER).iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    spool.keep(tmp_path, made("kill:a"))
    folder = tmp_path / spool.FOLDER
    (folder / "kill-half.json").write_text('{"key": "kill:h')
    (folder / "kill-other.json").write_text('{"surprise": 1}')
    assert [kill.key for kill in spool.waiting(tmp_path)] == ["kill:a"]
    assert {path.name for path in folder.glob(f"*{spool.BROKEN}")} == {
        f"kill-half.json{spool.BROKEN}", f"kill-other.json{spool.BROKEN}",
    }  # fmt: skip
