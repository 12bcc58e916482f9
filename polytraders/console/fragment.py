"""A part of a live page."""

from collections.abc import Hashable
from typing import NamedTuple


class Fragment(NamedTuple):
    """What it depends on, and its HTML."""

    key: Hashable
    html: str
