"""One child process that cannot outlive its parent, and the account that a server may run under."""

import functools
import os
import pwd
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from polytraders.tied import tied_to

UNPRIVILEGED_ID: Final = 1000
"""Who root appears to be inside a user namespace; outside of it files stay root's."""


class SpawnError(RuntimeError):
    """A process that cannot be started the way it must be."""


def spawn(
    argv: Sequence[str | Path],
    *,
    death: signal.Signals,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: int | IO[bytes] | None = None,
    account: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that receives `death` when this process dies, however it dies.

    A session of its own, so that the terminal's Ctrl-C reaches this process only and the order of stopping is ours.

    Args:
        argv: Program and arguments.
        death: Signal that the kernel sends when the parent is gone.
        environ: The whole environment; None hands on our own.
        folder: Working folder.
        output: Where standard output and error go; None throws them away.
        account: Drop to this account first.

    Raises:
        SpawnError: Not called from the main thread. The kernel ties the signal to the thread that forks.
        OSError: The program cannot be executed.
    """
    if threading.current_thread() is not threading.main_thread():
        raise SpawnError("processes are started from the main thread: their life is tied to the thread that forks")
    sink = subprocess.DEVNULL if output is None else output
    return subprocess.Popen(  # noqa: S603 - the caller names the program, nothing goes through a shell
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT if output is not None else subprocess.DEVNULL,
        env=None if environ is None else dict(environ),
        cwd=folder,
        start_new_session=True,
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
        preexec_fn=tied_to(os.getpid(), death),  # noqa: PLW1509 - it calls one system call and nothing else
    )


@functools.cache
def has_user_namespaces() -> bool:
    """Whether root may map itself to an ordinary user, without making an account or changing any file."""
    program = shutil.which("unshare")
    if program is None:
        return False
    trial = [program, "--user", f"--map-user={UNPRIVILEGED_ID}", f"--map-group={UNPRIVILEGED_ID}", "true"]
    return subprocess.run(trial, capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S603


class Account:
    """How a server that refuses root is started: plainly, inside a user namespace, or as nobody."""

    prefix: tuple[str, ...]
    user: pwd.struct_passwd | None

    def __init__(self) -> None:
        self.prefix, self.user = (), None
        if os.geteuid() != 0:
            return
        if os.environ.get("PG_UNROOT") != "setuid" and has_user_namespaces():
            mapping = (f"--map-user={UNPRIVILEGED_ID}", f"--map-group={UNPRIVILEGED_ID}")
            self.prefix = (shutil.which("unshare") or "unshare", "--user", *mapping)
            return
        self.user = pwd.getpwnam("nobody")

    def own(self, path: Path) -> None:
        """Give a file or folder to the account, where there is one."""
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def reaches(self, path: Path) -> bool:
        """Whether the account may walk to `path`; each folder on the way must let it through."""
        if self.user is None:
            return True
        return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents if folder.exists())
