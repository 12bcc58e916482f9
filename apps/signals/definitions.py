"""What each feature is, for people: the formulas themselves stand in `core/features.py` and `core/windows.py`."""

from typing import Final, NamedTuple

from polytraders.contracts.state import SPANS_S

PRICE, SHARES, PART, RETURN, PLAIN = "pUSD", "shares", "part", "log return", ""


class Definition(NamedTuple):
    """One feature: its name in `FEATURES`, unit, and meaning in one sentence."""

    name: str
    unit: str
    meaning: str


def _spans(name: str, unit: str, meaning: str) -> list[Definition]:
    words = {60: "60s", 300: "5m", 3_600: "1h"}
    long = {60: "60 seconds", 300: "5 minutes", 3_600: "hour"}
    return [Definition(f"{name}_{words[s]}", unit, meaning.format(span=long[s])) for s in SPANS_S]


_BOOK: Final = (
    Definition("spread", PRICE, "Best ask minus best bid."),
    Definition("mid", PRICE, "Half of best bid plus best ask."),
    Definition("imbalance", PLAIN, "(bid - ask) / (bid + ask) of the sizes at the best prices; 1 = all of it bids."),
    Definition("micro", PRICE, "The mid weighted by the opposite sizes: where the next trade pulls the price."),
    Definition("bid_size", SHARES, "On offer at the best bid."),
    Definition("ask_size", SHARES, "On offer at the best ask."),
    Definition("bid_depth", SHARES, "On the five best bids together."),
    Definition("ask_depth", SHARES, "On the five best asks together."),
    Definition("depth_imbalance", PLAIN, "(bid - ask) / (bid + ask) of these depths."),
)
_FLOWS: Final = [
    each
    for pair in zip(
        _spans("buy_flow", SHARES, "Shares of YES bought by those who crossed the spread in the last {span}."),
        _spans("sell_flow", SHARES, "Shares of YES sold by those who crossed the spread in the last {span}."),
        strict=True,
    )
    for each in pair
]
DEFINITIONS: Final = (
    *_BOOK,
    *_FLOWS,
    *_spans("volatility", RETURN, "Standard deviation of the log return of one move of the mid in the last {span}."),
    Definition("last_price", PRICE, "Of the last trade, in YES terms; 0 = none seen."),
    Definition("log_odds", PLAIN, "ln(mid / (1 - mid)): 0 at even odds."),
    *_spans("completeness", PART, "Part of the last {span} in which a valid book was seen."),
)
"""One a feature, in the order of the vector."""
