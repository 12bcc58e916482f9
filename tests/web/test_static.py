"""Others' files are the ones we have looked at, ours are small, and text can be read in both themes."""

import hashlib
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parents[2]
LISTED = re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", (ROOT / "static/VENDORED.md").read_text("utf-8"), re.M)
STYLE = (ROOT / "static/console/console.css").read_text("utf-8")
TEXT_CONTRAST_MIN = 4.5


@pytest.mark.parametrize(("name", "digest"), LISTED, ids=[name for name, _ in LISTED])
def test_a_vendored_file_has_its_checksum(name: str, digest: str) -> None:
    path = finders.find(name)
    assert path is not None
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest


def test_every_script_of_a_page_is_ours_or_listed() -> None:
    from django.template.loader import render_to_string

    from polytraders.console.board import Board

    empty = Board(None, 0, (), 0, 0, 0, (), (), (), 0)
    page = render_to_string("console/overview.html", {"board": empty, "here": "overview"})
    scripts = re.findall(r'<script src="/static/([^"]+)"', page)
    assert set(scripts) == {name for name, _ in LISTED} | {"console/console.js"}


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", STYLE)
    found: dict[str, dict[str, str]] = {}
    for selector, body in blocks:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", body))
        if colours:
            found[f"{len(found)} {selector.strip()}"] = colours
    return found


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(sign * 2 for sign in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", themes().values(), ids=list(themes()))
def test_text_can_be_read_on_everything_it_stands_on(theme: dict[str, str]) -> None:
    pairs = [
        (text, ground)
        for text in ("text", "minor", "link", "good", "bad", "warn", "one", "two")
        for ground in ("bg", "panel", "row")
    ]
    pairs += [("good", "good-bg"), ("bad", "bad-bg"), ("warn", "warn-bg"), ("text", "bad-bg"), ("minor", "bad-bg")]
    weak = {
        pair: round(ratio, 2)
        for pair in pairs
        if (ratio := contrast(theme[pair[0]], theme[pair[1]])) < TEXT_CONTRAST_MIN
    }
    assert weak == {}


def test_both_ways_to_the_dark_theme_give_the_same_colours() -> None:
    light, dark_by_system, dark_by_choice = themes().values()
    assert dark_by_system == dark_by_choice != light
    assert light.keys() == dark_by_choice.keys()
