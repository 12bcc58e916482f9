"""Replays of the stored log, one row each: the evidence that the loop still decides as it did. And jobs."""

from django.db import models

from polytraders.contracts import job as j


class ReplayRecord(models.Model):
    """What one replay of a shard's log found; times are UTC, heads and build hex.

    `verdict_code` is GOV_REPLAY_MATCH, GOV_REPLAY_REGRESSION or GOV_REPLAY_DRIFT; GOV_REPLAY_ABORTED when it did not
    reach its end, and then `first_difference` says why.
    """

    shard = models.SmallIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    verdict_code = models.TextField()
    from_seq = models.BigIntegerField(null=True)
    to_seq = models.BigIntegerField(null=True)
    parity = models.FloatField(null=True)
    drift = models.FloatField(null=True)
    input_head = models.TextField(default="")
    output_head = models.TextField(default="")
    chain_head = models.TextField(default="")
    first_difference = models.TextField(default="")
    seconds = models.FloatField()
    events_per_second = models.FloatField(null=True)
    build = models.TextField(default="")
    report = models.JSONField(null=True)

    class Meta:
        """Names."""

        db_table = "replay_report"
        verbose_name = "replay"
        ordering = ("-id",)
        indexes = (models.Index(fields=("shard", "-id"), name="replay_newest"),)

    def __str__(self) -> str:
        return f"shard {self.shard} to input {self.to_seq}: {self.verdict_code}"


class JobRecord(models.Model):
    """Work that somebody asked for: how far it is, and what came of it. Times are UTC.

    `digest` is the SHA-256 of kind and arguments: the same question. `code` says why there is no result.
    """

    kind = models.TextField()
    arguments = models.JSONField()
    digest = models.TextField()
    asked_by = models.TextField()
    state = models.TextField(choices=[(state, state) for state in j.STATES], default=j.QUEUED)
    part = models.FloatField(default=0.0)
    words = models.TextField(default="", blank=True)
    code = models.TextField(default="", blank=True)
    result = models.JSONField(null=True)
    is_cancelled = models.BooleanField(default=False)
    attempts = models.SmallIntegerField(default=0)
    asked_at = models.DateTimeField(auto_now_add=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Names; few jobs are alive, however many have been."""

        db_table = "replay_job"
        verbose_name = "job"
        indexes = (
            models.Index(fields=("digest", "-id"), name="replay_job_same"),
            models.Index(fields=("id",), name="replay_job_alive", condition=models.Q(state__in=j.ALIVE)),
        )

    def __str__(self) -> str:
        return f"job {self.pk}, {self.kind}: {self.state}"

    @property
    def is_alive(self) -> bool:
        """Whether something is still to come."""
        return self.state in j.ALIVE


class ForecastRecord(models.Model):
    """One forecast that has been judged: the last of a strategy about a market within a horizon.

    `mid` is what the market itself said then; null where the log no longer holds it. `pays` is 1 where YES paid.
    """

    pk = models.CompositePrimaryKey("shard", "strategy", "market", "horizon")
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    market = models.IntegerField()
    horizon = models.SmallIntegerField()
    decision = models.BigIntegerField()
    ts = models.BigIntegerField()
    p_hat = models.FloatField()
    mid = models.FloatField(null=True)
    pays = models.SmallIntegerField()

    class Meta:
        """Names."""

        db_table = "replay_forecast"
        verbose_name = "judged forecast"


class ScoredRecord(models.Model):
    """A resolved market whose forecasts have been judged, which happens once. One that paid a part has none."""

    pk = models.CompositePrimaryKey("shard", "market")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    payout = models.IntegerField()
    forecasts = models.IntegerField()

    class Meta:
        """Names."""

        db_table = "replay_scored"
        verbose_name = "scored market"


class ScoreRecord(models.Model):
    """Sums over judged forecasts by strategy, horizon and bin of the forecast.

    `who` is 0 for the model, 1 for the market itself. Sums of forecasts, of squared errors and of log losses.
    """

    pk = models.CompositePrimaryKey("shard", "strategy", "horizon", "who", "bin")
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    horizon = models.SmallIntegerField()
    who = models.SmallIntegerField()
    bin = models.SmallIntegerField()
    count = models.BigIntegerField()
    hits = models.BigIntegerField()
    forecast = models.FloatField()
    brier = models.FloatField()
    loss = models.FloatField()

    class Meta:
        """Names."""

        db_table = "replay_score"
        verbose_name = "score"


class ExecutedRecord(models.Model):
    """An order that is over: what was predicted of it, and what became of it.

    `id` is its decision's. Prices and slippage in 1e-9 a share, slippage > 0 = worse for us; null without a fill.
    """

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    ts = models.BigIntegerField()
    q_exec = models.BigIntegerField()
    price = models.BigIntegerField(null=True)
    slippage = models.BigIntegerField(null=True)
    p_fill = models.FloatField(null=True)
    size = models.BigIntegerField()
    filled = models.BigIntegerField()
    is_maker = models.BooleanField()

    class Meta:
        """Names."""

        db_table = "replay_executed"
        verbose_name = "judged order"


class ExecutionRecord(models.Model):
    """Sums over judged orders by strategy and bin.

    `what` is 0 for bins of slippage (`expected` and `came` sum it and its square, 1e-9 a share as floats) and 1 for
    bins of P(fill): `expected` sums what was predicted, `came` the part that was filled, `whole` counts whole fills.
    """

    pk = models.CompositePrimaryKey("shard", "strategy", "what", "bin")
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    what = models.SmallIntegerField()
    bin = models.SmallIntegerField()
    count = models.BigIntegerField()
    expected = models.FloatField()
    came = models.FloatField()
    whole = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "replay_execution"
        verbose_name = "execution score"


class ReachedRecord(models.Model):
    """How far a task has come: everything with a smaller id is done."""

    pk = models.CompositePrimaryKey("shard", "what")
    shard = models.SmallIntegerField()
    what = models.TextField()
    at = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "replay_reached"
        verbose_name = "place reached"
