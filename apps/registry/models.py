"""What the registry knows about each market, as rows to be searched. Rebuilt from the log at any time."""

from django.db import models


class MarketRecord(models.Model):
    """One market of a shard: names from the registry's commands, facts from its FACT inputs, the payout at its end.

    A fact that nobody has told is null. Units as in `contracts/inputs.py`.
    """

    pk = models.CompositePrimaryKey("shard", "market")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    condition_id = models.TextField(default="")
    token_yes = models.TextField(default="")
    token_no = models.TextField(default="")
    title = models.TextField(default="")
    slug = models.TextField(default="")
    cluster_name = models.TextField(default="")
    venue = models.BigIntegerField(null=True)
    min_size = models.BigIntegerField(null=True)
    fee_rate = models.BigIntegerField(null=True)
    fee_exponent = models.BigIntegerField(null=True)
    fee_taker_only = models.BigIntegerField(null=True)
    taker_delay_ms = models.BigIntegerField(null=True)
    close_ts = models.BigIntegerField(null=True)
    cluster = models.BigIntegerField(null=True)
    neg_risk = models.BigIntegerField(null=True)
    fee_bps = models.BigIntegerField(null=True)
    status = models.BigIntegerField(null=True)
    allowed = models.BigIntegerField(null=True)
    gap_p999_ms = models.BigIntegerField(null=True)
    reference = models.BigIntegerField(null=True)
    strike = models.BigIntegerField(null=True)
    connection = models.BigIntegerField(null=True)
    synced_ts = models.BigIntegerField(null=True)
    payout = models.BigIntegerField(null=True)
    resolved_seq = models.BigIntegerField(null=True)
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names and indexes."""

        db_table = "registry_market"
        verbose_name = "market"
        indexes = (
            models.Index(fields=("condition_id",), name="registry_market_condition"),
            models.Index(fields=("slug",), name="registry_market_slug"),
            models.Index(fields=("shard", "close_ts"), name="registry_market_close"),
        )

    def __str__(self) -> str:
        """Question, or the venue's id where nobody has told one."""
        return self.title or self.condition_id or f"market {self.market}"
