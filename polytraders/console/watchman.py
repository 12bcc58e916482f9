"""Sees to it, in the web process, that somebody looks at the system: worker and beat cannot tell that they are dead.

When the regular look has not been taken for two minutes, that is an alert, and its messages are sent from here. When
there is no database to put it in, the routes that were known last are told.
"""

import datetime as dt
import logging
import os
import threading
from typing import Final

from django.db import DatabaseError, connection
from django.utils import timezone

from apps.monitoring import alerting, beats, delivering, lastwords
from apps.monitoring.incidents import WATCHED_S
from apps.monitoring.models import AlertRecord, PulseRecord

log = logging.getLogger(__name__)

SOURCE: Final = "watchman"
CODE: Final = lastwords.CODE
PERIOD_S: Final = 30.0
FIRST_S: Final = 150.0
"""A start has time for its first look."""


def look(*, now: alerting.Now = timezone.now) -> bool:
    """Look once; whether the regular look is taken."""
    try:
        row = PulseRecord.objects.filter(name="health").first()
        age = None if row is None else now() - row.at
        is_watched = age is not None and age < dt.timedelta(seconds=WATCHED_S)
        if is_watched:
            alerting.over(AlertRecord.objects.filter(source=SOURCE, is_open=True), now=now)
        else:
            said = "never" if age is None else f"for {age.total_seconds():.0f} s not"
            alerting.raised(alerting.Seen(CODE, "", f"the regular look was {said} taken"), SOURCE, now=now)
            delivering.deliver(now=now)
        beats.pulse(SOURCE, pid=os.getpid())
        lastwords.recovered()
    except DatabaseError as error:
        connection.close()
        words = f"the database cannot be asked: {str(error).strip().partition(chr(10))[0]}"
        lastwords.tell(alerting.one_line(words))
        return False
    return is_watched


class Watchman(threading.Thread):
    """Looks for as long as the process lives, or until it is stopped."""

    def __init__(self, *, first_s: float = FIRST_S, period_s: float = PERIOD_S) -> None:
        """Not started yet."""
        super().__init__(name="watchman", daemon=True)
        self._first_s, self._period_s = first_s, period_s
        self._done = threading.Event()

    def run(self) -> None:
        """Look, wait, look again; what goes wrong is told and changes nothing."""
        wait = self._first_s
        while not self._done.wait(wait):
            wait = self._period_s
            try:
                look()
            except Exception:
                log.exception("the watchman could not look")
            finally:
                connection.close()

    def stop(self) -> None:
        """End it and wait for that."""
        self._done.set()
        self.join()
