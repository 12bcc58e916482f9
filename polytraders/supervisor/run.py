"""Starts services in the order of their needs, brings them back when they end, and ends them all in time."""

import asyncio
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Literal

from polytraders.supervisor.output import Output
from polytraders.supervisor.process import Service, exited

RESTARTS_MAX: Final = 5
WINDOW_S: Final = 60.0
BACKOFF_S: Final = 0.2
BACKOFF_S_MAX: Final = 5.0
STOP_S_MAX: Final = 4.5
"""From the first signal to the last SIGKILL."""


class StartError(RuntimeError):
    """A step failed or a server cannot be made: nothing can run."""


class GaveUpError(RuntimeError):
    """A process ended too often."""


class _State:
    """Where one service is. `up` and `down` are each other's opposite, so that both can be waited for."""

    def __init__(self) -> None:
        self.up, self.down, self.was_up = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.down.set()
        self.process: subprocess.Popen[bytes] | None = None

    def mark(self, up: bool) -> None:
        for event, on in ((self.up, up), (self.down, not up)):
            if on:
                event.set()
            else:
                event.clear()
        if up:
            self.was_up.set()

    @property
    def is_there(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def is_lost(self) -> bool:
        return self.down.is_set() or self.process is None or self.process.poll() is not None


class Supervisor:
    """Runs services until told to stop, or until one cannot be kept up."""

    def __init__(self, services: Sequence[Service], output: Output) -> None:
        names = [service.name for service in services]
        for service in services:
            unknown = {*service.needs, *service.falls_with} - set(names)
            if unknown or len(set(names)) != len(names):
                raise ValueError(f"{service.name}: needs {unknown or 'a name of its own'}")
        self._services = services
        self._output = output
        self._states: dict[str, _State] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._signals = 0

    async def run(self, when_ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run until SIGINT or SIGTERM; returns when everything has ended.

        Args:
            when_ready: Awaited once, when all services are ready for the first time.

        Raises:
            StartError: A step failed. Everything has ended.
            GaveUpError: A process ended five times in a minute. Everything has ended.
        """
        loop = asyncio.get_running_loop()
        self._states = {service.name: _State() for service in self._services}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        tasks = [asyncio.create_task(self._keep(service)) for service in self._services]
        tasks.append(asyncio.create_task(self._tell_ready(when_ready)))
        stopping = asyncio.create_task(self._stopping.wait())
        waiting: set[asyncio.Task[object]] = {stopping, *tasks}
        failure: BaseException | None = None
        while failure is None and not stopping.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            failure = next((task.exception() for task in done if task.exception()), None)
        if failure is not None:
            self._output.say(f"stopping everything: {failure}")
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
        await self._stop_all()
        if failure is not None:
            raise failure

    def _asked_to_stop(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self._output.say("stopping (once more: at once)")
        else:
            for state in self._states.values():
                self._signal(state, signal.SIGKILL)
        self._stopping.set()

    async def _tell_ready(self, when_ready: Callable[[], Awaitable[None]] | None) -> None:
        for service in self._services:
            await self._states[service.name].was_up.wait()
        if when_ready is not None:
            await when_ready()

    # --- one service -------------------------------------------------------------------------------------------------

    async def _keep(self, service: Service) -> None:
        ends: deque[float] = deque()
        while True:
            for need in (*service.needs, *service.falls_with):
                await self._states[need].up.wait()
            code = await self._live(service)
            if service.once:
                if code != 0:
                    raise StartError(f"{service.name} failed with exit code {code}")
                return
            if code is None:
                continue
            now = time.monotonic()
            ends.append(now)
            while ends[0] < now - WINDOW_S:
                ends.popleft()
            if len(ends) >= RESTARTS_MAX:
                raise GaveUpError(f"{service.name} ended {len(ends)} times in {WINDOW_S:.0f} s, at last with {code}")
            delay_s = min(BACKOFF_S * 2 ** (len(ends) - 1), BACKOFF_S_MAX)
            self._output.say(f"{service.name} ended with {code}: again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)

    async def _live(self, service: Service) -> int | None:
        """One life, from start to end; returns the exit code, or None if it ended because its base was lost."""
        state = self._states[service.name]
        began = time.monotonic()
        self._output.say(f"{service.name} …")
        if service.prepare is not None:
            await asyncio.to_thread(service.prepare)
        state.process = self._launch(service)
        end = asyncio.create_task(exited(state.process))
        falls = [asyncio.create_task(self._states[name].down.wait()) for name in service.falls_with]
        try:
            if service.once:
                code = await end
                if code == 0:
                    self._output.say(f"{service.name} done after {time.monotonic() - began:.1f} s")
                    state.mark(True)
                return code
            if await self._becomes_ready(service, end, falls):
                self._output.say(f"{service.name} ready after {time.monotonic() - began:.1f} s")
                state.mark(True)
                await asyncio.wait({end, *falls}, return_when=asyncio.FIRST_COMPLETED)
            fell = [name for name in service.falls_with if self._states[name].is_lost]
            state.mark(False)
            if not end.done():
                if fell:
                    self._output.say(f"{service.name} stops: {', '.join(fell)} is gone")
                await self._end(service, state, service.grace_s)
            code = await end
            return None if fell else code
        finally:
            for task in (end, *falls):
                task.cancel()

    async def _becomes_ready(
        self, service: Service, end: asyncio.Task[int], falls: Sequence[asyncio.Task[Literal[True]]]
    ) -> bool:
        """Wait for the process to answer; False if it ended, lost its base, took too long or cannot answer."""
        if service.ready is None:
            return not end.done()
        ready = asyncio.ensure_future(service.ready())
        try:
            await asyncio.wait({end, ready, *falls}, timeout=service.ready_s_max, return_when=asyncio.FIRST_COMPLETED)
            if end.done() or any(fall.done() for fall in falls):
                return False
            if not ready.done():
                self._output.say(f"{service.name} is not ready after {service.ready_s_max:.0f} s")
                return False
            if (error := ready.exception()) is not None:
                self._output.say(f"{service.name}: {error}")
            return error is None
        finally:
            ready.cancel()

    def _launch(self, service: Service) -> subprocess.Popen[bytes]:
        reading, writing = os.pipe()
        try:
            process = service.launch(writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        pump = asyncio.create_task(self._output.pump(reading, service.name, quiet=service.quiet))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        return process

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        deadline = time.monotonic() + STOP_S_MAX
        began = time.monotonic()
        took: dict[str, float] = {}

        async def end(service: Service, state: _State) -> None:
            since = time.monotonic()
            await self._end(service, state, min(service.grace_s, max(deadline - since, 0.1)))
            took[service.name] = time.monotonic() - since

        hurry = [
            asyncio.create_task(asyncio.to_thread(service.before_stop))
            for service in self._services
            if service.before_stop is not None and self._states[service.name].is_there
        ]
        for servers in (False, True):
            running = [(service, self._states[service.name]) for service in self._services if service.server is servers]
            await asyncio.gather(*(end(service, state) for service, state in running if state.is_there))
        await asyncio.gather(*hurry, return_exceptions=True)
        if self._pumps:
            await asyncio.wait(self._pumps, timeout=0.2)
        for pump in self._pumps:
            pump.cancel()
        each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(took.items(), key=lambda pair: -pair[1]))
        self._output.say(f"all stopped after {time.monotonic() - began:.1f} s{each and f' ({each})'}")

    async def _end(self, service: Service, state: _State, grace_s: float) -> None:
        process = state.process
        if process is None or process.returncode is not None:
            return
        self._signal(state, service.stop)
        waiting = asyncio.create_task(exited(process))
        done, _ = await asyncio.wait({waiting}, timeout=grace_s)
        if not done:
            self._output.say(f"{service.name} did not end in {grace_s:.1f} s: killed")
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await waiting
        if not done and service.after_kill is not None:
            await asyncio.to_thread(service.after_kill)

    @staticmethod
    def _signal(state: _State, number: signal.Signals) -> None:
        if state.process is not None and state.process.returncode is None:
            with suppress(ProcessLookupError):
                state.process.send_signal(number)
