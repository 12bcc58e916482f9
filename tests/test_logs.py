"""Logs are JSON lines with what they belong to, and a secret never gets into them, by whatever way it comes."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from polytraders import logs

CANARY = "canary-6f1d0c2b9a"


@pytest.fixture
def lines() -> Iterator[Any]:
    """What has been logged, as objects; the text of it as `.text()`."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("loop", stream=stream)

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    read.text = stream.getvalue  # type: ignore[attr-defined]
    yield read
    logs.unbind()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_says_what_it_belongs_to(lines: Any) -> None:
    with logs.bound(correlation_id="7:0:0"):
        structlog.get_logger("polytraders.live").info("committed", in_seq=7)
        logging.getLogger("elsewhere").warning("slow: %d ms", 12)
    structlog.get_logger("polytraders.live").info("next")
    ours, theirs, later = lines()
    assert (ours["event"], ours["in_seq"], ours["correlation_id"], ours["process"]) == ("committed", 7, "7:0:0", "loop")
    assert (theirs["event"], theirs["level"], theirs["correlation_id"]) == ("slow: 12 ms", "warning", "7:0:0")
    assert "correlation_id" not in later
    assert ours["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "said",
    [
        {"password": CANARY},
        {"DATABASE_URL": f"postgresql://u:{CANARY}@h/d"},
        {"note": f"cannot reach postgresql://u:{CANARY}@127.0.0.1:5432/d"},
        {"note": f"open http://127.0.0.1:8000/setup/{CANARY}"},
        {"note": f"token={CANARY}"},
        {"note": f"Authorization: Bearer {CANARY}"},
        {"headers": {"cookie": CANARY, "x": ["ok", {"api_key": CANARY}]}},
        {"raw": f"redis://:{CANARY}@h".encode()},
        {"what": ValueError(f"postgresql://u:{CANARY}@h/d")},
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(said: dict[str, Any], lines: Any) -> None:
    structlog.get_logger("x").info("said", **said)
    assert CANARY not in lines.text()
    assert lines()[0]["event"] == "said"


def test_a_known_secret_is_hidden_in_messages_and_traces_of_anybody(lines: Any) -> None:
    logs.hide(CANARY)
    logging.getLogger("elsewhere").info("got %s", CANARY)
    try:
        raise RuntimeError(f"refused {CANARY}")
    except RuntimeError:
        logging.getLogger("elsewhere").exception("failed")
        structlog.get_logger("ours").exception("failed")
    assert CANARY not in lines.text()
    assert lines.text().count("RuntimeError: refused ***") == 2


def test_what_is_public_is_told(lines: Any) -> None:
    structlog.get_logger("x").info("seen", token_id="111", strategy="logit", rows=3, ratio=0.5, none=None)
    (line,) = lines()
    assert (line["token_id"], line["strategy"], line["rows"], line["ratio"], line["none"]) == (
        "111",
        "logit",
        3,
        0.5,
        None,
    )


def test_a_value_too_short_to_be_known_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be hidden by value"):
        logs.hide("abc")
