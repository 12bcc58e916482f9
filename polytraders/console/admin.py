"""What is to be read at /admin/: decisions, orders, money, kills, replays, markets, and for an Admin the people."""

from collections.abc import Callable
from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.ledger.models import Account, Entry, Movement
from apps.monitoring.models import LoopRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.replay.models import ReplayRecord
from apps.risk.models import DecisionRecord
from polytraders.access.models import AuditRow
from polytraders.access.permissions import Permission
from polytraders.console.models import MarketRow, ScopeRow
from polytraders.console.tables import Reading, site
from polytraders.console.templatetags import told
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.inputs import Scope
from polytraders.contracts.market import Action, Outcome

__all__ = ["site"]

Column = Callable[..., Any]


def shown(words: str) -> Callable[[Column], Column]:
    """A column that is computed, and what stands above it."""
    return admin.display(description=words)


class WithCode(Reading):
    """A table whose `code` is the number of a reason."""

    @shown("reason code")
    def why(self, row: Any) -> SafeString:
        """The code, linked to its page."""
        return told.reason(row.code)

    @shown("when (UTC)")
    def when(self, row: Any) -> str:
        """Loop time."""
        return str(told.utc(row.ts))

    @shown("what")
    def what(self, row: Any) -> str:
        """Side and outcome."""
        return f"{Action(row.action).name} {Outcome(row.outcome).name}"


@admin.register(DecisionRecord, site=site)
class Decisions(WithCode):
    """Packets, each with the votes that its row knows."""

    list_display = ("decision_id", "when", "market", "strategy", "verdict", "why", "what", "edge", "size", "counted")
    readonly_fields = (
        "decision_id",
        "when",
        "why",
        "what",
        "edge",
        "size",
        "against",
        "packet",
    )
    fields = (
        "decision_id", "packet", "when", "shard", "market", "strategy", "verdict", "why", "against", "what", "p_hat",
        "edge", "size", "counted",
    )  # fmt: skip

    @shown("net edge")
    def edge(self, row: DecisionRecord) -> str:
        """Per share."""
        return str(told.edge(row.net_edge))

    @shown("approved")
    def size(self, row: DecisionRecord) -> str:
        """Shares."""
        return str(told.shares(row.approved_size))

    @shown("votes against")
    def against(self, row: DecisionRecord) -> SafeString:
        """The checks that rejected, strongest first; what each compared stands in the packet."""
        bits = [
            (check.name.replace("_", " "), told.reason(check.code))
            for bit, check in enumerate(CHECKS)
            if row.votes >> bit & 1
        ]
        return format_html_join("", "<div>{}: {}</div>", bits) if bits else format_html("none")

    @shown("in full")
    def packet(self, row: DecisionRecord) -> SafeString:
        """The console's page of it."""
        return format_html('<a href="{}">packet</a>', reverse("decision", args=[row.decision_id]))


@admin.register(OrderRecord, site=site)
class Orders(WithCode):
    """Orders."""

    list_display = (
        "correlation_id",
        "since",
        "market",
        "strategy",
        "what",
        "at_price",
        "of_size",
        "done",
        "status",
        "why",
    )
    readonly_fields = (
        "correlation_id",
        "since",
        "what",
        "at_price",
        "of_size",
        "done",
        "why",
    )
    fields = (
        "correlation_id", "since", "shard", "market", "strategy", "what", "at_price", "of_size", "done", "cancelled",
        "held", "spent", "fee", "status", "why", "is_open", "changed_seq",
    )  # fmt: skip

    @shown("made (UTC)")
    def since(self, row: OrderRecord) -> str:
        """Loop time."""
        return str(told.utc(row.created_ts))

    @shown("price")
    def at_price(self, row: OrderRecord) -> str:
        """Per share."""
        return str(told.price(row.price))

    @shown("shares")
    def of_size(self, row: OrderRecord) -> str:
        """Asked for."""
        return str(told.shares(row.size))

    @shown("filled")
    def done(self, row: OrderRecord) -> str:
        """Got."""
        return str(told.shares(row.filled))


@admin.register(FillRecord, site=site)
class Fills(WithCode):
    """Fills."""

    list_display = (
        "__str__",
        "when",
        "order_seq",
        "market",
        "strategy",
        "what",
        "at_price",
        "of_size",
        "paid",
        "is_maker",
        "why",
    )
    readonly_fields = ("when", "what", "at_price", "of_size", "paid", "why")

    @shown("price")
    def at_price(self, row: FillRecord) -> str:
        """Per share."""
        return str(told.price(row.price))

    @shown("shares")
    def of_size(self, row: FillRecord) -> str:
        """Filled."""
        return str(told.shares(row.size))

    @shown("money")
    def paid(self, row: FillRecord) -> str:
        """Above zero: spent."""
        return str(told.money(row.money))


@admin.register(Account, site=site)
class Accounts(Reading):
    """The ledger's accounts."""

    list_display = ("code", "asset", "kind", "balance", "incoming", "outgoing", "shard")


@admin.register(Movement, site=site)
class Movements(Reading):
    """Transfers, each with its two entries."""

    list_display = ("__str__", "phase", "from_account", "to_account", "amount", "asset", "correlation", "ts")
    list_select_related = ("from_account", "to_account")
    readonly_fields = ("entries",)

    @shown("entries")
    def entries(self, row: Movement) -> SafeString:
        """Both legs, in micro-pUSD or 1e-6 shares."""
        legs = Entry.objects.filter(transfer_id=row.pk).select_related("account").order_by("leg")
        told_legs = ((leg.leg, str(leg.account), leg.posted, leg.incoming, leg.outgoing) for leg in legs)
        return format_html_join("", "<div>{}. {}: posted {}, incoming {}, outgoing {}</div>", told_legs)


@admin.register(ReplayRecord, site=site)
class Replays(Reading):
    """Replays of the stored log."""

    list_display = ("made_at", "shard", "verdict", "from_seq", "to_seq", "parity", "drift", "seconds")
    readonly_fields = ("verdict",)

    @shown("verdict")
    def verdict(self, row: ReplayRecord) -> SafeString:
        """The code, linked to its page."""
        return told.reason(row.verdict_code)


@admin.register(MarketRow, site=site)
class Markets(Reading):
    """Markets; their texts are the venue's, so they are shown on one line."""

    list_display = ("market", "words", "status", "allowed", "fee_bps", "payout", "changed_seq", "shard")
    readonly_fields = ("words",)
    exclude = ("title",)

    @shown("question")
    def words(self, row: MarketRow) -> str:
        """Cut, and without signs that turn a line round."""
        return told.plainly(row.title)


@admin.register(ScopeRow, site=site)
class Scopes(Reading):
    """What is killed now."""

    list_display = ("which", "is_killed", "when", "actor", "reason", "in_seq", "shard")
    readonly_fields = ("which", "when")

    @shown("scope")
    def which(self, row: ScopeRow) -> str:
        """Kind, and its number where there are several."""
        kind = Scope(row.scope).name.lower()
        return kind if row.scope == Scope.GLOBAL else f"{kind} {row.index}"

    @shown("when (UTC)")
    def when(self, row: ScopeRow) -> str:
        """Loop time."""
        return str(told.utc(row.ts))


@admin.register(LoopRecord, site=site)
class Loops(Reading):
    """Each shard's loop, as it last said it is."""

    list_display = ("shard", "state", "mode", "venue", "is_killed", "in_seq", "lag_ms", "build_hash")


@admin.register(AuditRow, site=site)
class Audit(Reading):
    """Who did what."""

    needs = Permission.AUDIT
    list_display = ("id", "at", "actor", "act", "target", "reason")


@admin.register(User, site=site)
class People(Reading):
    """Who may come in; passwords are not shown."""

    needs = Permission.USER
    list_display = ("username", "is_active", "last_login", "date_joined")
    fields = ("username", "is_active", "last_login", "date_joined", "groups")


class Controls(Reading):
    """Kills and releases as they were asked for."""

    list_display = ("at", "act", "scope", "name", "actor", "reason", "shard")


CONTROL: Final = apps.all_models["risk"].get("controlrecord")
if CONTROL is not None:
    site.register(CONTROL, Controls)
