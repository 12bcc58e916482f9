"""The words of the console: one word for one thing, everywhere. Help lists them, and the search finds them."""

import re
from typing import Final, NamedTuple


class Word(NamedTuple):
    """What something is called here.

    Attributes:
        names: The word, or several that belong together.
        meaning: In a sentence.
        rule: Formula or rule; "" where there is none.
    """

    names: str
    meaning: str
    rule: str = ""

    @property
    def anchor(self) -> str:
        """Where it stands on the page of Help."""
        return "word-" + re.sub(r"[^a-z]+", "-", self.names.lower())


WORDS: Final = (
    Word(
        "Market, outcome, token",
        "A question; its YES and NO side; what is held of a side.",
        "a YES and a NO share together pay 1 pUSD",
    ),
    Word(
        "pUSD",
        "The venue's dollar: what is paid, earned and held. On paper here.",
        "1 share pays 1 pUSD if its side comes true, else nothing",
    ),
    Word(
        "Book, bid, ask, mid, spread",
        "Who would buy and sell at which price, in YES terms.",
        "mid = (bid + ask) / 2, spread = ask − bid",
    ),
    Word("Feature vector", "What can be measured: spread, imbalance, flow and volatility over 60 s, 5 min and 1 h."),
    Word(
        "p_hat, band",
        "What a YES share is worth by the forecast, and how far it may be off.",
        "p_NO = 1 − p_YES, the band swapped",
    ),
    Word("uncertainty_buffer, buffer", "What the forecast may be wrong by; taken off every edge."),
    Word("q_exec", "What a share trades at, walking the book with the wished size.", "Σ price × size / Σ size"),
    Word("fees", "The venue's, a share.", "rate × (p (1 − p)) ^ exponent"),
    Word(
        "net_edge",
        "What is left of the difference; the gate compares it with the least edge that is enough.",
        "p_hat − q_exec − fees − uncertainty_buffer",
    ),
    Word(
        "Check, vote",
        "One question of the gate, with its value and limit. All are always asked.",
        "one counting rejection is enough",
    ),
    Word(
        "Decision packet",
        "Everything that a decision looked at, with every vote; the same bytes whenever it is made.",
    ),
    Word("Reason code", "Why it ended so. The first rejecting check of the list names the verdict."),
    Word(
        "Order, fill",
        "What an approval becomes, and what came of it. Paper: filled against the real book, without money.",
    ),
    Word(
        "Transfer, ledger",
        "One amount from one account to another; debits and credits are equal, or the database refuses.",
        "equity = cash + worth of what is held",
    ),
    Word("Least edge", "What net_edge has to reach: a setting of the strategy, edge_min."),
    Word(
        "Limit",
        "The most, or least, that may be: of a market, a cluster, a strategy, everything. They stand on Risk.",
    ),
    Word("Drawdown", "How far equity is below its high of this day or week.", "1 − equity / high"),
    Word("Cluster", "Markets that can all go wrong on one fact."),
    Word("Kill, release", "Stops a scope until a person lets it trade again. It never ends by itself."),
    Word("Rollout stage", "How far a strategy may go: replay, shadow, paper, canary, live. Up needs evidence."),
    Word(
        "Input, output",
        "What cannot be derived, numbered without a gap; what the loop made of it.",
        "replay: inputs in, outputs compared",
    ),
    Word("Epoch", "One run of one build, with the state it began with."),
    Word(
        "Fence",
        (
            "A file that says what is killed. The loop reads it before each block, so a kill holds with console "
            "and database down."
        ),
    ),
    Word(
        "Witness",
        (
            "A whole book, asked of the venue by another way. If it agrees with ours, a market that says nothing "
            "is quiet, and not lost."
        ),
    ),
    Word("Resync", "A book that may have missed something waits for a whole one, and is not traded."),
    Word(
        "Parity, drift",
        "Equal outputs by all outputs, of this build; difference to what another build recorded.",
        "1.0 = every byte",
    ),
    Word("Incident, alert", "Something that broke, with its time line; something that somebody should know."),
)
