"""The process: one ready line, both protocols on one port, the truth on another, nobody but loopback, a quick end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator.serve import main
from tests.venues.simulator.following import follow

SERVE = [sys.executable, "-m", "polytraders.venues.simulator.serve"]
START_MS = 1_780_272_000_000
DEADLINE_S = 20.0


class Served(NamedTuple):
    """A running exchange."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def get(self, path: str, face: str = "http", **query: Any) -> httpx.Response:
        return httpx.get(self.ready[face] + path, params=query or None, timeout=5)

    def truth(self, path: str, **query: Any) -> Any:
        answer = self.get(path, "admin", **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, action: str, **args: Any) -> None:
        script = {"faults": [{"action": action, "args": args}]}
        assert httpx.post(self.ready["admin"] + "/faults", json=script, timeout=5).json() == {"added": 1}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def serving(*options: str) -> Iterator[Served]:
    """An exchange for a while; whatever happens, it is gone afterwards."""
    process = subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            yield Served(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("--seed", "5", "--start-ms", str(START_MS + 60_000), "--speed", "4") as running:
        yield running


async def heard(ws: ClientConnection, seconds: float) -> list[str]:
    found: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                found.append(str(await ws.recv()))
    except TimeoutError:
        return found


async def subscribed(ws: ClientConnection, tokens: list[str], **more: Any) -> list[dict[str, Any]]:
    await ws.send(json.dumps({"type": "market", "assets_ids": tokens, **more}))
    text = str(await asyncio.wait_for(ws.recv(), 5))
    assert text.endswith("\n"), "the venue ends its arrays with a line feed"
    books: list[dict[str, Any]] = json.loads(text)
    return books


def live(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in served.truth("/markets") if one["strike"] and not one["closed"])
    return found


async def test_a_listener_gets_books_changes_and_pongs_that_the_decoder_takes(served: Served) -> None:
    markets = {one["market"]: one for one in served.truth("/markets") if not one["closed"]}
    tokens = [token for one in markets.values() for token in one["tokens"]]
    async with connect(served.ready["market"]) as ws:
        await ws.send("PING")
        assert await asyncio.wait_for(ws.recv(), 5) == "PONG"
        books = await subscribed(ws, tokens, custom_feature_enabled=True)
        assert [book["asset_id"] for book in books] == tokens
        told = await heard(ws, 1.5)
    known = Decoder()
    for one in markets.values():
        known.register(one["market"], one["tokens"], min_size="5", neg_risk=one["neg_risk"])
    followed = follow((text.encode() for text in [json.dumps(books), *told]), known)
    assert followed.counters["price_changes"] > 50
    assert followed.after == followed.counters["refused"] == followed.counters["hash_bad"] == 0
    assert followed.counters["hash_ok"] >= len(tokens)


async def test_only_what_was_asked_for_comes_and_only_until_it_is_not_wanted(served: Served) -> None:
    one = live(served)
    yes = one["tokens"][0]
    async with connect(served.ready["market"]) as ws:
        (book,) = await subscribed(ws, [yes, "1" * 70])
        assert book["asset_id"] == yes and book["market"] == one["market"]
        told = [json.loads(text) for text in await heard(ws, 1.5)]
        assert told and {frame["market"] for frame in told} == {one["market"]}
        assert {frame["event_type"] for frame in told} <= {
            "price_change",
            "last_trade_price",
            "book",
            "tick_size_change",
        }
        assert {frame["asset_id"] for frame in told if "asset_id" in frame} <= {yes}
        await ws.send(json.dumps({"operation": "unsubscribe", "assets_ids": [yes]}))
        await ws.send("PING")
        while await asyncio.wait_for(ws.recv(), 5) != "PONG":
            pass
        assert await heard(ws, 0.5) == []
        await ws.send("{nonsense")
        await ws.send(json.dumps({"operation": "subscribe", "assets_ids": [7]}))
        (again,) = await subscribed(ws, [yes])
        assert again["asset_id"] == yes, "nonsense does not end a connection"
    assert served.truth("/state")["served"]["bad_messages"] >= 2


async def test_binance_speaks_in_combined_streams(served: Served) -> None:
    async with connect(served.ready["binance"] + "/stream?streams=btcusdt@trade/btcusdt@bookTicker") as ws:
        told = [json.loads(text) for text in await heard(ws, 1.0)]
    assert {one["stream"] for one in told} == {"btcusdt@trade", "btcusdt@bookTicker"}
    trade = next(one["data"] for one in told if one["stream"] == "btcusdt@trade")
    ticker = next(one["data"] for one in told if one["stream"] == "btcusdt@bookTicker")
    assert set(trade) == {"e", "E", "s", "t", "p", "q", "T", "m", "M"} and trade["p"].endswith("000000")
    assert set(ticker) == {"u", "s", "b", "B", "a", "A"}
    assert abs(float(ticker["b"]) - served.truth("/state")["btc_cents"] / 100) < 1_000
    async with connect(served.ready["binance"] + "/stream?streams=btcusdt@trade") as ws:
        assert {json.loads(text)["stream"] for text in await heard(ws, 0.8)} == {"btcusdt@trade"}


def test_the_pages_answer_on_the_same_port(served: Served) -> None:
    one = live(served)
    book = served.get("/book", token_id=one["tokens"][1]).json()
    assert book["asset_id"] == one["tokens"][1] and book["min_order_size"] == "5"
    assert abs(served.get("/time").json() - served.truth("/state")["now_ns"] / NANO) < 10
    assert served.get(f"/clob-markets/{one['market']}").json()["c"] == one["market"]
    listed = served.get("/markets/keyset", limit=100, closed="false").json()["markets"]
    assert one["slug"] in {market["slug"] for market in listed}
    assert served.get("/events/keyset", slug=one["slug"]).json()["events"][0]["slug"] == one["slug"]
    assert served.get("/book", token_id="12").status_code == 404
    assert served.get("/clob-markets/0x00").status_code == 404
    assert served.get("/ws/market").status_code == 404
    assert served.get("/markets/keyset", offset=1).status_code == 422


def test_the_truth_tells_books_trades_fees_and_what_is_wrong_with_a_question(served: Served) -> None:
    one = live(served)
    served.until(lambda: bool(served.truth("/trades", market=one["slug"])["trades"]))
    trade = served.truth("/trades", market=one["market"])["trades"][0]
    before = served.truth("/book_at", market=one["slug"], ts_ns=trade["ts_ns"] - 1)
    side = "asks" if trade["side"] == 0 else "bids"
    assert trade["price"] == before[side][0][0], "it took the best price there was"
    now = served.truth("/state")["world_ns"]
    rows = served.truth("/changes", market=one["slug"], from_ns=trade["ts_ns"] - 1, to_ns=now)["rows"]
    assert any(row[0] == trade["ts_ns"] and row[2] == trade["price"] for row in rows)
    assert served.truth("/fee", market=one["slug"], price=PRICE_UNIT // 2, size=100_000_000) == {"fee": "1.75000"}
    assert served.truth("/fees")[one["market"]]["rate"] == "0.07"
    asked = {
        ("/book_at", "market=none&ts_ns=1"): 404,
        ("/book_at", f"market={one['slug']}&ts_ns=1"): 410,
        ("/book_at", f"market={one['slug']}&ts_ns={now * 2}"): 400,
        ("/book_at", f"market={one['slug']}"): 400,
        ("/fee", f"market={one['slug']}&price=x&size=1"): 400,
        ("/nothing", ""): 404,
    }
    assert {key: served.get(f"{key[0]}?{key[1]}", "admin").status_code for key in asked} == asked
    bad = httpx.post(served.ready["admin"] + "/faults", json={"faults": [{"action": "explode"}]}, timeout=5)
    assert bad.status_code == 400 and "faults[0]" in bad.text


async def test_faults_reach_those_who_listen(served: Served) -> None:
    one = live(served)
    async with connect(served.ready["market"]) as ws:
        await subscribed(ws, one["tokens"])
        served.fault("silence", duration_ms=6_000)
        served.until(lambda: served.truth("/faults")["counts"].get("silence") == 1)
        await ws.send("PING")
        assert (await heard(ws, 0.6))[-1] == "PONG", "silent, and alive"
        served.fault("silence", duration_ms=6_000, pongs=False)
        served.until(lambda: served.truth("/faults")["counts"].get("silence") == 2)
        await ws.send("PING")
        assert await heard(ws, 0.3) == [], "half open: nothing at all"
        served.fault("disconnect")
        with pytest.raises(ConnectionClosed):
            await heard(ws, 5)
    served.fault("flapping", times=1, down_ms=4_000)
    served.until(lambda: served.truth("/faults")["counts"].get("flapping") == 1)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}

    def refused() -> bool:
        return httpx.get(served.ready["http"] + "/ws/market", headers=upgrade, timeout=5).status_code == 503

    assert refused()
    served.fault("rest_down", duration_ms=2_000, status=500)
    served.until(lambda: served.get("/time").status_code == 500)
    served.until(lambda: served.get("/time").status_code == 200)
    served.until(lambda: not refused())
    async with connect(served.ready["market"]) as ws:
        assert len(await subscribed(ws, one["tokens"])) == 2
    served.fault("no_snapshot")
    served.until(lambda: served.truth("/faults")["coming"] == 0)
    async with connect(served.ready["market"]) as ws:
        await ws.send(json.dumps({"type": "market", "assets_ids": one["tokens"]}))
        assert not [text for text in await heard(ws, 0.5) if text.startswith("[")]
    async with connect(served.ready["market"]) as ws:
        assert len(await subscribed(ws, one["tokens"])) == 2


async def test_a_listener_that_does_not_listen_is_cut_off() -> None:
    with serving("--seed", "2", "--start-ms", str(START_MS), "--speed", "20", "--rate", "8") as running:
        tokens = [token for one in running.truth("/markets") for token in one["tokens"]]
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.setblocking(False)
        host, port = running.ready["market"].removeprefix("ws://").split("/")[0].split(":")
        await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
        async with asyncio.timeout(DEADLINE_S):
            ws = await connect(running.ready["market"], sock=raw, max_queue=2, ping_interval=None)
            await ws.send(json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}))
            # From here on nobody reads. The exchange has to notice by itself, and go on.
            while running.truth("/state")["slow_listeners_cut"] == 0:
                await asyncio.sleep(0.05)
            ws.transport.abort()
            await ws.wait_closed()
        state = running.truth("/state")
        assert state["listeners"] == 0
        running.until(lambda: running.truth("/state")["world_ns"] > state["world_ns"])


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "shutdown"])
async def test_it_ends_within_a_second_even_with_listeners(how: str, tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with serving("--ready-file", str(file)) as running:
        running.until(file.exists)
        assert json.loads(file.read_text(encoding="utf-8")) == running.ready
        assert running.ready["pid"] == running.process.pid
        async with connect(running.ready["market"]) as ws:
            await ws.send("PING")
            await asyncio.wait_for(ws.recv(), 5)
            asked = time.monotonic()
            if how == "shutdown":
                httpx.post(running.ready["admin"] + "/shutdown", timeout=5)
            else:
                os.kill(running.process.pid, getattr(signal, how))
            assert running.process.wait(timeout=5) == 0
            assert time.monotonic() - asked < 1
        assert running.process.stderr is not None
        assert running.process.stderr.read() == ""


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--host", "localhost"], "localhost"),
        (["--speed", "101"], "speed"),
        (["--speed", "0.5"], "speed"),
        (["--rate", "0"], "rate"),
        (["--start-ms", "1"], "second"),
        (["--faults", "/nowhere.json"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_listens(
    options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    told = capsys.readouterr()
    assert why in told.err and told.out == ""


def test_a_fault_script_is_read_and_obeyed(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text(
        json.dumps({"seed": 1, "faults": [{"at": {"nth_frame": 10}, "action": "drop"}]}), encoding="utf-8"
    )
    with serving("--faults", str(script)) as running:
        running.until(lambda: running.truth("/faults")["counts"] == {"drop": 1})
