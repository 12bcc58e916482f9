"""A worker's app for tests: the project's own Celery app, and one job that waits to be killed the first time."""

import os
import time
from pathlib import Path

from polytraders.celery import app

__all__ = ["app"]


@app.task
def hold(key: str) -> None:
    runs = Path(os.environ["JOB_RUNS"])
    again = runs.exists()
    with runs.open("a") as file:
        file.write(f"{key} {os.getpid()}\n")
    if not again:
        time.sleep(600)
