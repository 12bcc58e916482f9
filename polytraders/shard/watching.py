"""Waits for the inbox in a thread of its own: NOTIFY wakes it, and it looks by itself twice a second."""

import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

from apps.eventlog import inbox
from apps.risk import controls
from polytraders.contracts.control import Killed

LOOK_S: Final = 0.5
AT_ONCE: Final = 200


class InboxWatcher(threading.Thread):
    """Hands new rows of a shard's inbox on; the block that takes them in deletes them."""

    def __init__(
        self,
        dsn: str,
        shard: int,
        hand_on: Callable[[inbox.InboxRow], None],
        killed: Callable[[frozenset[Killed]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Watch with a connection of its own.

        Args:
            dsn: Of the application's role.
            shard: Whose inbox.
            hand_on: Called in this thread with each new row.
            killed: Called in this thread with what the control table says is killed, before rows are handed on.
            failed: Called in this thread with what ends it: without it nobody hears commands, so the process must end.
        """
        super().__init__(name="inbox", daemon=True)
        self._dsn = dsn
        self._shard = shard
        self._hand_on = hand_on
        self._killed = killed
        self._failed = failed
        self._ending = threading.Event()
        self._handed: set[int] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Until `end`; a database that is away for a moment is asked again."""
        while not self._ending.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as conn:
                    conn.execute("LISTEN inbox")
                    self._watch(conn)
            except psycopg.OperationalError:
                self._ending.wait(LOOK_S)
            except Exception as error:  # noqa: BLE001  handed on to whoever can end the process
                self._failed(error)
                return

    def _watch(self, conn: psycopg.Connection[Any]) -> None:
        while not self._ending.is_set():
            self._look(conn)
            for _ in conn.notifies(timeout=LOOK_S, stop_after=1):
                pass

    def _look(self, conn: psycopg.Connection[Any]) -> None:
        with self._lock:
            handed = set(self._handed)
        self._killed(controls.killed(conn, self._shard))
        for row in inbox.take(conn, self._shard, AT_ONCE, held=handed):
            with self._lock:
                self._handed.add(row.id)
            self._hand_on(row)

    def forget(self, ids: list[int]) -> None:
        """These rows have been committed and are gone."""
        with self._lock:
            self._handed.difference_update(ids)

    def end(self) -> None:
        """Stop at the next look."""
        self._ending.set()
