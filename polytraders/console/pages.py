"""The console's pages: where each is, which question it answers, and which keys go there."""

from typing import Final, NamedTuple

from django.urls import NoReverseMatch, reverse

from polytraders.access.permissions import Permission


class Page(NamedTuple):
    """One entry of the navigation.

    Attributes:
        name: Of the address in the URL table, and what a view says it is (`here`).
        title: As people call it.
        question: What it answers; shown below the title and in the help.
        keys: Pressed one after the other, "" = none.
        permission: Who has it sees the entry.
    """

    name: str
    title: str
    question: str
    keys: str = ""
    permission: Permission = Permission.VIEW

    @property
    def address(self) -> str:
        """Where it is."""
        return reverse(self.name)


GROUPS: Final[tuple[tuple[str, tuple[Page, ...]], ...]] = (
    (
        "Now",
        (
            Page("overview", "Overview", "Are we safe, do we make money, and what happens right now?", "g o"),
            Page("markets", "Markets", "What can we trade, and why not the rest?", "g m"),
            Page("feeds", "Feeds", "Can I trust the data?", "g f"),
        ),
    ),
    (
        "Why",
        (
            Page("decisions", "Decisions", "Why did it trade, or why not?", "g d"),
            Page("signals", "Signals", "What did we measure?", "g s"),
            Page("models", "Models", "Is p_hat any good?", "g b"),
            Page("execution", "Execution", "Did trades cost what we thought they would?", "g e"),
            Page("trace", "Trace", "What happened to this one, from the input to the ledger?", "g t"),
        ),
    ),
    (
        "Money",
        (
            Page("orders", "Orders", "Where is every order?", "g q"),
            Page("fills", "Fills", "Is it money yet?", "g x"),
            Page("positions", "Positions", "What do we hold, and what will it pay?", "g p"),
            Page("ledger", "Ledger", "Does it balance?", "g l"),
        ),
    ),
    (
        "Control",
        (
            Page("risk", "Risk", "How close are we to our limits?", "g r"),
            Page("control", "Kill and rollout", "Who may trade how much, and how do I stop it?", "g k"),
            Page("strategies", "Strategies", "What runs, with which settings, and what does it earn?", "g y"),
            Page("replays", "Replays", "Would we decide the same again?", "g v"),
            Page("incidents", "Incidents", "What broke, and what did we learn?", "g i"),
        ),
    ),
    (
        "Reference",
        (
            Page("reasons", "Reason codes", "What does this code mean, and what do I do?", "g c"),
            Page("stages", "Stages", "What does each of the eleven stages do?", "g w"),
            Page("system", "System", "Is the machine well?", "g z"),
            Page("access", "Access and audit", "Who may come in, and who did what?", "g a", Permission.AUDIT),
            Page("api", "API", "How does a program ask?", "g j"),
            Page("help", "Help", "How do I read all this?", "g h"),
        ),
    ),
)
PAGES: Final = {page.name: page for _, pages in GROUPS for page in pages}


def served(page: Page) -> bool:
    """Whether the URL table knows it."""
    try:
        reverse(page.name)
    except NoReverseMatch:
        return False
    return True
