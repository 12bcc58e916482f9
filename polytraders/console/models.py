"""Rows whose table has a key of several columns, as Django's admin can read them: under one number."""

from django.db import models


class MarketRow(models.Model):
    """A market of a shard; the registry's table through a view that only reads."""

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    condition_id = models.TextField()
    title = models.TextField()
    slug = models.TextField()
    cluster_name = models.TextField()
    venue = models.BigIntegerField(null=True)
    status = models.BigIntegerField(null=True)
    allowed = models.BigIntegerField(null=True)
    neg_risk = models.BigIntegerField(null=True)
    fee_bps = models.BigIntegerField(null=True)
    min_size = models.BigIntegerField(null=True)
    close_ts = models.BigIntegerField(null=True)
    payout = models.BigIntegerField(null=True)
    resolved_seq = models.BigIntegerField(null=True)
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names."""

        managed = False
        db_table = "console_market"
        verbose_name = "market"

    def __str__(self) -> str:
        return f"market {self.market}"


class ScopeRow(models.Model):
    """A scope that has been killed at least once, and whether it still is."""

    id = models.BigIntegerField(primary_key=True)
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

        managed = False
        db_table = "console_scope"
        verbose_name = "kill state of a scope"
        verbose_name_plural = "kill states of scopes"

    def __str__(self) -> str:
        return f"scope {self.scope}:{self.index}"
