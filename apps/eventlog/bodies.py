"""Output rows and records as the database keeps them: small, exact, and readable for ever.

The first byte is the version of the layout. Version 1 is a zstd frame, with its checksum, made with the dictionary
`body.1.dict`, which was trained on packets of the demo: 1,136 bytes of a packet become about 330. A dictionary is never
changed; a better one is a new version.
"""

from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import zstandard

from apps.eventlog.faults import Corrupt, LogNewer
from polytraders.contracts.inputs import MARKET_DATA
from polytraders.contracts.state import DETAIL, NONE, OUT

BODY_VERSION: Final = 1
LEVEL: Final = 3
SIZE_MAX: Final = 1 << 20


class What(IntEnum):
    """What a record in force is of."""

    MARKET = 0
    STRATEGY = 1
    LIMITS = 2
    PARAMS = 3


_IS_CONTROL: Final = np.ones(256, np.bool_)
_IS_CONTROL[list(MARKET_DATA)] = False


def controls(inputs: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The control rows among INPUT rows."""
    chosen: np.ndarray[Any, Any] = inputs[_IS_CONTROL[inputs["kind"]]]
    return chosen


@cache
def _dictionary(version: int) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(Path(__file__).with_name(f"body.{version}.dict").read_bytes())


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(
        level=LEVEL, dict_data=_dictionary(BODY_VERSION), write_checksum=True, write_dict_id=False
    )


@cache
def _decompressor(version: int) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=_dictionary(version))


def pack(data: bytes) -> bytes:
    """Bytes of a record, small. Not for more than one thread at a time."""
    return bytes((BODY_VERSION,)) + _compressor().compress(data)


def unpack(body: bytes) -> bytes:
    """What `pack` was given.

    Raises:
        LogNewer: A newer build packed it.
        Corrupt: It is damaged.
    """
    if not body:
        raise Corrupt("a body is empty")
    if body[0] > BODY_VERSION:
        raise LogNewer(f"a body has version {body[0]}, this build knows {BODY_VERSION}")
    try:
        return _decompressor(body[0]).decompress(body[1:], max_output_size=SIZE_MAX)
    except (zstandard.ZstdError, FileNotFoundError) as error:
        raise Corrupt(f"a body cannot be unpacked: {error}") from error


def body(out: np.void, detail: np.void | None) -> bytes:
    """One output row with its detail.

    Args:
        out: OUT row; where its detail happened to lie is forgotten, as in the chain.
        detail: DETAIL row, None when the row has none.
    """
    row = out.copy()
    row["detail"] = NONE if detail is None else 0
    return pack(row.tobytes() + (b"" if detail is None else detail.tobytes()))


def many(outs: "np.ndarray[Any, Any]", details: "np.ndarray[Any, Any]") -> list[bytes]:
    """`body` of every row of a block, without an array object for each.

    Args:
        outs: (n,) OUT.
        details: (m,) DETAIL that their `detail` points into.
    """
    where = outs["detail"].tolist()
    plain = np.array(outs)
    plain["detail"] = np.minimum(plain["detail"], 0)
    rows, numbers = plain.tobytes(), np.ascontiguousarray(details).view(np.uint8).data
    compress, version = _compressor().compress, bytes((BODY_VERSION,))
    made = []
    for index, at in enumerate(where):
        data = rows[index * OUT.itemsize : (index + 1) * OUT.itemsize]
        if at >= 0:
            data += numbers[at * DETAIL.itemsize : (at + 1) * DETAIL.itemsize]
        made.append(version + compress(data))
    return made


def unbody(packed: bytes) -> tuple[np.void, np.void | None]:
    """OUT row and DETAIL row of a body; `detail` of the first is 0 or NONE.

    Raises:
        LogNewer: A newer build packed it.
        Corrupt: It is damaged, or is not an output row.
    """
    data = unpack(packed)
    if len(data) not in (OUT.itemsize, OUT.itemsize + DETAIL.itemsize):
        raise Corrupt(f"a body of {len(data)} bytes is no output row")
    out = np.frombuffer(data, OUT, 1)[0]
    if (out["detail"] == NONE) != (len(data) == OUT.itemsize):
        raise Corrupt("a body does not say whether it has a detail")
    return out, np.frombuffer(data, DETAIL, 1, OUT.itemsize)[0] if len(data) > OUT.itemsize else None
