"""How far each stage has come, what is killed, and how the loop is: the first two rebuilt from the log."""

from django.db import models


class StageRecord(models.Model):
    """One counter of a stage: how often, and the loop time of the last one (null: no time was told)."""

    pk = models.CompositePrimaryKey("shard", "stage", "what")
    shard = models.SmallIntegerField()
    stage = models.SmallIntegerField()
    what = models.TextField()
    count = models.BigIntegerField()
    last_ts = models.BigIntegerField(null=True)

    class Meta:
        """Names."""

        db_table = "monitoring_stage"
        verbose_name = "stage counter"


class ScopeRecord(models.Model):
    """A scope that has been killed at least once, and whether it still is. Who did it, why, and at which input."""

    pk = models.CompositePrimaryKey("shard", "scope", "index")
    shard = models.SmallIntegerField()
    scope = models.SmallIntegerField()
    index = models.IntegerField()
    is_killed = models.BooleanField()
    in_seq = models.BigIntegerField()
    ts = models.BigIntegerField()
    actor = models.TextField()
    reason = models.TextField()

    class Meta:
        """Names."""

        db_table = "monitoring_scope"
        verbose_name = "scope"


class StrategyRecord(models.Model):
    """What a strategy is called and how far it may go (`contracts/inputs.py` Stage)."""

    pk = models.CompositePrimaryKey("shard", "strategy")
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    name = models.TextField(default="")
    stage = models.SmallIntegerField(null=True)
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "monitoring_strategy"
        verbose_name = "strategy"


class LoopRecord(models.Model):
    """How a shard's loop is, one row, overwritten a few times a second by its process: no projection, not rebuilt.

    `at_ns` is the wall clock at the last writing, so that a reader can tell a quiet loop from a dead one.
    """

    shard = models.SmallIntegerField(primary_key=True)
    at_ns = models.BigIntegerField()
    state = models.TextField()
    mode = models.TextField()
    venue = models.TextField()
    speed = models.FloatField()
    pid = models.IntegerField()
    build_hash = models.TextField()
    epoch_seq = models.BigIntegerField()
    in_seq = models.BigIntegerField()
    loop_ts = models.BigIntegerField()
    lag_ms = models.BigIntegerField()
    input_head = models.TextField()
    output_head = models.TextField()
    chain_head = models.TextField()
    rss_bytes = models.BigIntegerField()
    is_killed = models.BooleanField()
    queues = models.JSONField()
    books = models.JSONField()
    feeds = models.JSONField()
    money = models.JSONField()
    metrics = models.TextField()

    class Meta:
        """Names."""

        db_table = "monitoring_loop"
        verbose_name = "loop"
