"""The ledger's tables as Django reads them: the journal, positions made from the log, and marks."""

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

    @property
    def credit(self) -> int:
        """What has left it beyond what entered."""
        credit: int = max(0, -self.balance)
        return credit


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


class MoneyRecord(models.Model):
    """What the loop said of its money in a minute of loop time, micro-pUSD: no projection, for the mids are not kept.

    `equity` and the rest are the last of the minute, `low` and `high` the extremes of equity without deposits and
    `fall` the deepest fall from a high to a low after it. Older
    minutes are folded into hours (`tasks.fold_money`).
    """

    pk = models.CompositePrimaryKey("shard", "minute_ts")
    shard = models.SmallIntegerField()
    minute_ts = models.BigIntegerField()
    equity = models.BigIntegerField()
    cash = models.BigIntegerField()
    reserved = models.BigIntegerField()
    realised = models.BigIntegerField()
    fees = models.BigIntegerField()
    deposited = models.BigIntegerField()
    exposure = models.BigIntegerField()
    low = models.BigIntegerField()
    high = models.BigIntegerField()
    fall = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "ledger_money"
        verbose_name = "money of a minute"


class MarkRecord(models.Model):
    """What a market that we hold something in trades at, told about once a second by the loop: no projection.

    YES prices in price units, -1 = nobody there; `state` is the book's (`contracts/state.py`); micro-pUSD.
    """

    pk = models.CompositePrimaryKey("shard", "market")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    bid = models.BigIntegerField()
    ask = models.BigIntegerField()
    state = models.SmallIntegerField()
    row_ts = models.BigIntegerField()
    exposure = models.BigIntegerField()
    worst = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "ledger_mark"
        verbose_name = "mark"


class FlattenRecord(models.Model):
    """A scope that somebody has had sold off at least once, and whether only reducing trades pass there now."""

    pk = models.CompositePrimaryKey("shard", "scope", "index")
    shard = models.SmallIntegerField()
    scope = models.SmallIntegerField()
    index = models.IntegerField()
    is_on = models.BooleanField()
    in_seq = models.BigIntegerField()
    ts = models.BigIntegerField()
    actor = models.TextField()

    class Meta:
        """Names."""

        db_table = "ledger_flatten"
        verbose_name = "cash-out"


class ProofRecord(models.Model):
    """One walk through the books (`verification.check`): what was wrong first, "" = nothing."""

    shard = models.SmallIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    in_seq = models.BigIntegerField()
    code = models.TextField(default="")
    words = models.TextField(default="")
    seconds = models.FloatField()

    class Meta:
        """Names."""

        db_table = "ledger_proof"
        verbose_name = "proof"
        indexes = (models.Index(fields=("shard", "-id"), name="ledger_proof_newest"),)
