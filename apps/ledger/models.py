"""What each strategy holds of each token. Rebuilt from the log at any time; the journal is the record."""

from django.db import models


class PositionRecord(models.Model):
    """A strategy's holding of one token: 1e-6 shares, micro-pUSD; realised is net of fees."""

    pk = models.CompositePrimaryKey("shard", "market", "strategy", "outcome")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    strategy = models.IntegerField()
    outcome = models.SmallIntegerField()
    size = models.BigIntegerField()
    cost = models.BigIntegerField()
    realised = models.BigIntegerField()
    fees = models.BigIntegerField()
    changed_ts = models.BigIntegerField()
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names and the index of what is held now."""

        db_table = "ledger_position"
        verbose_name = "position"
        indexes = (
            models.Index(fields=("strategy", "market"), name="ledger_position_held", condition=~models.Q(size=0)),
        )
