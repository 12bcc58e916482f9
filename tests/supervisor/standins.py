"""A supervisor over stand-in children, run by tests as a process of its own: `standins.py FOLDER CHILDREN(JSON)`.

Each child appends what happens to it to FOLDER/events: `seconds name what process-id`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from polytraders.supervisor.output import Output
from polytraders.supervisor.process import Service, command, file_there
from polytraders.supervisor.run import GaveUpError, StartError, Supervisor

CHILD = """
import os, signal, subprocess, sys, time
folder, name, does = sys.argv[1:]
events = os.open(folder + "/events", os.O_RDWR | os.O_APPEND | os.O_CREAT)
def tell(what):
    os.write(events, f"{time.monotonic():.4f} {name} {what} {os.getpid()}\\n".encode())
def bye(*_):
    tell("asked")
    sys.exit(0)
lives = open(folder + "/events").read().count(f" {name} start ")
tell("start")
kind, _, number = does.partition(":")
signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "deaf" else bye)
if kind == "die" and lives < int(number):
    sys.exit(3)
if kind == "fail":
    sys.exit(5)
if kind == "done":
    time.sleep(0.2)
    tell("done")
    sys.exit(0)
if kind == "parent":
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
if kind != "mute":
    if kind == "late":
        time.sleep(0.3)
    tell("ready")
    open(folder + "/" + name + ".ready", "w").close()
print("said by", name, flush=True)
while True:
    time.sleep(0.1) if kind == "deaf" else signal.pause()
"""


def service(folder: Path, told: dict[str, object]) -> Service:
    """A stand-in as a service."""
    name, once = str(told["name"]), bool(told.get("once"))
    ready_file = folder / f"{name}.ready"
    argv = [sys.executable, "-S", "-c", CHILD, str(folder), name, str(told["does"])]
    death = signal.SIGKILL if told["does"] in ("deaf", "parent") else signal.SIGTERM
    return Service(
        name=name,
        launch=command(argv, environ=lambda: os.environ, folder=folder, death=death),
        prepare=lambda: ready_file.unlink(missing_ok=True),
        ready=file_there(ready_file),
        ready_s_max=float(str(told.get("ready_s_max", 20))),
        needs=tuple(told.get("needs", ())),  # type: ignore[arg-type]
        falls_with=tuple(told.get("falls_with", ())),  # type: ignore[arg-type]
        once=once,
        server=bool(told.get("server")),
    )


def main() -> int:
    folder, children = Path(sys.argv[1]), json.loads(sys.argv[2])
    output = Output(folder / "log")
    supervisor = Supervisor([service(folder, told) for told in children], output)
    try:
        asyncio.run(supervisor.run())
    except GaveUpError:
        return 1
    except StartError:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
