"""Decisions to be listed and counted. The packet itself is made from the log; these rows are rebuilt from it."""

from django.db import models
from django.db.models import functions

from polytraders.contracts.decision import Verdict
from polytraders.contracts.scope import Scope


class DecisionRecord(models.Model):
    """One packet: a verdict that changed, or an approval.

    `id` numbers its output row (`contracts/stretch.py`). Edge, fee, buffer and q_exec in 1e-9 per share; what
    was not known is null. `counted` evaluations gave the verdict before it, with `counted_code`.
    """

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    in_seq = models.BigIntegerField()
    ordinal = models.IntegerField()
    ts = models.BigIntegerField()
    market = models.IntegerField()
    strategy = models.IntegerField()
    verdict = models.SmallIntegerField(choices=list(enumerate(verdict.value for verdict in Verdict)))
    first = models.SmallIntegerField()
    code = models.SmallIntegerField()
    votes = models.BigIntegerField()
    action = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    p_hat = models.FloatField(null=True)
    p_own = models.BigIntegerField(null=True)
    q_exec = models.BigIntegerField(null=True)
    fee = models.BigIntegerField(null=True)
    buffer = models.BigIntegerField(null=True)
    net_edge = models.BigIntegerField(null=True)
    price = models.BigIntegerField(null=True)
    approved_size = models.BigIntegerField()
    counted = models.BigIntegerField()
    counted_code = models.SmallIntegerField(null=True)

    class Meta:
        """Names, and one index a filter, each ending in the cursor."""

        db_table = "risk_decision"
        verbose_name = "decision"
        indexes = (
            models.Index(fields=("market", "-id"), name="risk_decision_market"),
            models.Index(fields=("strategy", "-id"), name="risk_decision_strategy"),
            models.Index(fields=("code", "-id"), name="risk_decision_code"),
            models.Index(fields=("verdict", "-id"), name="risk_decision_verdict"),
            models.Index(fields=("ts", "id"), name="risk_decision_time"),
            models.Index(fields=("strategy", "code", "id"), name="risk_decision_both"),
        )

    def __str__(self) -> str:
        """Its name in addresses."""
        return self.decision_id

    @property
    def decision_id(self) -> str:
        """Input and ordinal, as the packet names itself."""
        return f"{self.in_seq}:{self.ordinal}"

    @property
    def correlation_id(self) -> str:
        """What the packet, its order, fills and transfers have in common."""
        return f"{self.in_seq}:{self.market}:{self.strategy}"


class MinuteRecord(models.Model):
    """How many evaluations of a strategy ended with a code, told in this minute of loop time. Σ = evaluations told."""

    pk = models.CompositePrimaryKey("shard", "minute_ts", "strategy", "code")
    shard = models.SmallIntegerField()
    minute_ts = models.BigIntegerField()
    strategy = models.IntegerField()
    code = models.SmallIntegerField()
    count = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "risk_minute"
        verbose_name = "evaluations of a minute"


class HourRecord(models.Model):
    """The same for an hour, by market: why a market was not traded."""

    pk = models.CompositePrimaryKey("shard", "market", "hour_ts", "strategy", "code")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    hour_ts = models.BigIntegerField()
    strategy = models.IntegerField()
    code = models.SmallIntegerField()
    count = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "risk_hour"
        verbose_name = "evaluations of an hour"


class ControlRecord(models.Model):
    """One kill or release as it was asked for; `controls.note` writes it."""

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    scope = models.SmallIntegerField()
    name = models.TextField()
    act = models.TextField()
    actor = models.TextField()
    reason = models.TextField()
    key = models.TextField(unique=True)
    at = models.DateTimeField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "risk_control"
        verbose_name = "kill or release"

    def __str__(self) -> str:
        return f"{self.act} {self.name or 'everything'}"

    @property
    def kind(self) -> str:
        """Word of the scope."""
        return Scope(self.scope).name.lower()


class Proposal(models.Model):
    """Something that a second person must confirm: a limit, a release of everything, a step of the ladder.

    `before` and `after` are for people; `payload` is what the loop will be asked. Its states are its steps. `person` is
    who `actor` is, a key's owner for a key: the database finds it out.
    """

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    kind = models.TextField()
    target = models.TextField()
    payload = models.TextField()
    before = models.TextField()
    after = models.TextField()
    actor = models.TextField()
    person = models.TextField(db_default="")
    reason = models.TextField()
    at = models.DateTimeField(db_default=functions.Now())
    expires_at = models.DateTimeField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "risk_proposal"
        verbose_name = "proposal"

    def __str__(self) -> str:
        return f"{self.kind} {self.target}: {self.before} to {self.after}"


class ProposalStep(models.Model):
    """One state of a proposal. The database takes no confirmation from whoever proposed it, and one answer only."""

    id = models.BigAutoField(primary_key=True)
    proposal = models.ForeignKey(Proposal, models.DO_NOTHING, related_name="steps")
    proposer = models.TextField()
    state = models.TextField()
    actor = models.TextField()
    words = models.TextField()
    after_seq = models.BigIntegerField(default=0)
    at = models.DateTimeField(db_default=functions.Now())

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "risk_proposal_step"
        verbose_name = "step of a proposal"

    def __str__(self) -> str:
        return f"{self.proposal_id} {self.state}"


class Drill(models.Model):
    """One kill drill with its times, each in microseconds from the request; null = it did not come."""

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    scope = models.SmallIntegerField()
    name = models.TextField()
    actor = models.TextField()
    asked_ns = models.BigIntegerField()
    fence_us = models.BigIntegerField()
    input_us = models.BigIntegerField(null=True)
    pulled_us = models.BigIntegerField(null=True)
    orders = models.IntegerField()
    released_us = models.BigIntegerField(null=True)
    in_seq = models.BigIntegerField(null=True)
    code = models.TextField()
    at = models.DateTimeField(db_default=functions.Now())

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "risk_drill"
        verbose_name = "kill drill"

    def __str__(self) -> str:
        return f"drill {self.id} of {self.name or 'everything'}"
