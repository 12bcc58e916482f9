"""Where recorded market data lies, for the tests that need it. It is never part of the product."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CAPTURE = DATA / "tickscope" / "market_channel.jsonl.gz"

needs_capture = pytest.mark.skipif(not CAPTURE.exists(), reason="no recorded data: set POLYTRADERS_DATA")
