"""Tokens: who they were made for, and everything else that opens nothing."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.killing import tokens

KEY, OTHER = "k" * 40, "o" * 40
NOW = 1_800_000_000.0


def test_a_token_says_whom_it_was_made_for_and_nothing_of_the_session() -> None:
    token = tokens.make(KEY, "ada", "session-secret", NOW)
    holder = tokens.read(KEY, token, NOW + 60)
    assert (holder.actor, holder.ends) == ("ada", int(NOW) + tokens.LIFE_S)
    told = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    assert b"session-secret" not in told


@pytest.mark.parametrize("later_s", [tokens.LIFE_S, tokens.LIFE_S + 1, 10 * tokens.LIFE_S, -tokens.LIFE_S])
def test_a_token_that_is_over_or_from_the_future_opens_nothing(later_s: float) -> None:
    with pytest.raises(tokens.TokenError, match="over"):
        tokens.read(KEY, tokens.make(KEY, "ada", "s", NOW), NOW + later_s)


def test_a_token_of_another_installation_opens_nothing() -> None:
    with pytest.raises(tokens.TokenError):
        tokens.read(KEY, tokens.make(OTHER, "ada", "s", NOW), NOW)


def test_a_longer_life_cannot_be_written_into_it() -> None:
    version, _, signature = tokens.make(KEY, "ada", "s", NOW).split(".")
    longer = base64.urlsafe_b64encode(json.dumps(["ada", "x", int(NOW) + 10**9]).encode()).decode().rstrip("=")
    with pytest.raises(tokens.TokenError):
        tokens.read(KEY, f"{version}.{longer}.{signature}", NOW)


@given(st.text(max_size=200))
def test_whatever_comes_is_refused_and_never_an_error(text: str) -> None:
    with pytest.raises(tokens.TokenError):
        tokens.read(KEY, text, NOW)


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_no_sign_of_it_can_be_changed(place: int, sign: str) -> None:
    token = tokens.make(KEY, "ada", "s", NOW)
    place %= len(token)
    changed = token[:place] + sign + token[place + 1 :]
    if changed != token:
        with pytest.raises(tokens.TokenError):
            tokens.read(KEY, changed, NOW)
