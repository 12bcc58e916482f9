"""Decisions to be listed and counted. The packet itself is made from the log; these rows are rebuilt from it."""

from django.db import models

from polytraders.contracts.decision import Verdict


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
