"""The endpoint's one connection to the database: kept open, opened again, and never waited for before the fence."""

import logging
import threading
import time
from pathlib import Path
from typing import Any, Final

import psycopg

from polytraders.killing import spool, stopping
from polytraders.killing.spool import Kill
from polytraders.killing.stopping import Seen

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
LOG_LOOK_S: Final = 0.01
STATEMENT_MS: Final = 2_000
MADE: Final = "SELECT to_regclass('log_head') IS NOT NULL"


class Recorder(threading.Thread):
    """Brings kept kills into control table and inbox, as soon as there is a database.

    Attributes:
        seq: Where the log ended at the last look; 0 = never seen.
    """

    def __init__(self, dsn: str, home: Path) -> None:
        """Record what lies in `home`; with "" for `dsn` it waits in its files."""
        super().__init__(name="recorder", daemon=True)
        self.seq = 0
        self._dsn = dsn
        self._home = home
        self._conn: psycopg.Connection[Any] | None = None
        self._is_made = False
        self._wanted = threading.Event()
        self._changed = threading.Condition()
        self._recorded: set[str] = set()
        self._told: set[str] = set()

    def run(self) -> None:
        """For ever; a database that is away is asked again."""
        while True:
            self._wanted.clear()
            try:
                self._look()
            except psycopg.Error as error:
                self._tell(error)
                self._drop()
            except OSError as error:
                log.error("the folder of kept kills cannot be read: %s", error)
            self._wanted.wait(LOOK_S)

    def _look(self) -> None:
        if not self._dsn:
            return
        if self._conn is None:
            options = f"-c statement_timeout={STATEMENT_MS}"
            self._conn = psycopg.connect(self._dsn, autocommit=True, connect_timeout=2, options=options)
        if not self._is_made:
            # At the first start there are no tables yet.
            self._is_made = bool(self._conn.execute(MADE).fetchone() == (True,))
            if not self._is_made:
                return
        kept = spool.waiting(self._home)
        for kill in kept:
            if kill.key not in self._recorded:
                stopping.record(self._conn, kill)
                with self._changed:
                    self._recorded.add(kill.key)
                    self._changed.notify_all()
        # What lies there no more has been audited and will not be asked about again.
        self._recorded &= {kill.key for kill in kept}
        self.seq = stopping.head(self._conn)

    def _tell(self, error: psycopg.Error) -> None:
        """Once for each kill that waits, not once a second."""
        for kill in spool.waiting(self._home):
            if kill.key not in self._recorded | self._told:
                self._told.add(kill.key)
                log.warning("GOV_KILL_SPOOLED: %s waits for the database (%s)", kill.key, type(error).__name__)

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()

    def record(self, key: str, wait_s: float) -> bool:
        """Have a kept kill recorded now; whether it was within `wait_s`."""
        self._wanted.set()
        with self._changed:
            return self._changed.wait_for(lambda: key in self._recorded, wait_s)

    def orders(self) -> int | None:
        """Orders that have not ended; None = nobody can say."""
        try:
            return None if self._conn is None else stopping.open_orders(self._conn)
        except psycopg.Error:
            return None

    def seen(self, kill: Kill, after: int, wait_s: float) -> Seen | None:
        """The kill's input in the log, if it is committed within `wait_s`."""
        ends = time.monotonic() + wait_s
        while time.monotonic() < ends:
            try:
                found = None if self._conn is None else stopping.seen(self._conn, kill, after)
            except psycopg.Error:
                return None
            if found is not None:
                return found
            time.sleep(LOG_LOOK_S)
        return None
