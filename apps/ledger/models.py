"""The ledger's tables as Django reads them: the journal, which nothing changes, and positions made from the log."""

from django.db import models


class Account(models.Model):
    """One account in one asset; amounts in micro-pUSD or 1e-6 shares."""

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    code = models.TextField()
    asset = models.TextField()
    kind = models.TextField()
    may_be_negative = models.BooleanField()
    balance = models.BigIntegerField()
    incoming = models.BigIntegerField()
    outgoing = models.BigIntegerField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "ledger_account"

    def __str__(self) -> str:
        return f"{self.code} {self.asset}"

    @property
    def free(self) -> int:
        """What may be used."""
        free: int = self.balance - self.outgoing
        return free


class Movement(models.Model):
    """One row of the journal, as contracts/ledger.py's Movement says it."""

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    in_seq = models.BigIntegerField()
    ordinal = models.BigIntegerField()
    part = models.TextField()
    phase = models.TextField()
    from_account = models.ForeignKey(Account, models.DO_NOTHING, db_column="from_account", related_name="+")
    to_account = models.ForeignKey(Account, models.DO_NOTHING, db_column="to_account", related_name="+")
    asset = models.TextField()
    amount = models.BigIntegerField()
    ts = models.BigIntegerField()
    correlation = models.TextField()
    resolves_seq = models.BigIntegerField(null=True)
    resolves_ordinal = models.BigIntegerField(null=True)
    resolves_part = models.TextField(null=True)

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "ledger_transfer"

    def __str__(self) -> str:
        return f"{self.in_seq}:{self.ordinal}:{self.part}"


class Entry(models.Model):
    """One leg of a movement: what it does to one account."""

    pk = models.CompositePrimaryKey("transfer_id", "leg")
    transfer = models.ForeignKey(Movement, models.DO_NOTHING, related_name="legs")
    leg = models.SmallIntegerField()
    shard = models.IntegerField()
    in_seq = models.BigIntegerField()
    ordinal = models.BigIntegerField()
    account = models.ForeignKey(Account, models.DO_NOTHING, related_name="entries")
    asset = models.TextField()
    posted = models.BigIntegerField()
    incoming = models.BigIntegerField()
    outgoing = models.BigIntegerField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "ledger_entry"

    def __str__(self) -> str:
        return f"{self.transfer}.{self.leg}"


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
