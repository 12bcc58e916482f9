"""Books as pages see them: what the loop's process says about each market, a short history, and how books were lost.

Quotes, samples and feeds are the loop's own word, overwritten while it runs: no projections, not rebuilt, and gone
after a crash of the database. Changes and refusals are projections, made from the log.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class QuoteRecord(models.Model):
    """A market's book, features and last trades at `ts` of loop time, told at most five times a second.

    Prices in price units, sizes in 1e-6 shares, null where there is none. Levels are best first. `code` is the number
    of the first reason why nobody may trade it now, 0 = none. Of trades, newest first, a size below 0 is a sale of YES.
    Forecasts have one entry a strategy; features are empty while the book cannot be measured.
    """

    pk = models.CompositePrimaryKey("shard", "market")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    in_seq = models.BigIntegerField()
    ts = models.BigIntegerField()
    at_ns = models.BigIntegerField()
    state = models.SmallIntegerField()
    why = models.SmallIntegerField()
    code = models.SmallIntegerField()
    votes = models.BigIntegerField()
    connection = models.SmallIntegerField()
    tick = models.IntegerField()
    bid = models.IntegerField(null=True)
    ask = models.IntegerField(null=True)
    bid_size = models.BigIntegerField()
    ask_size = models.BigIntegerField()
    spread = models.IntegerField(null=True)
    depth = models.BigIntegerField()
    last_price = models.IntegerField(null=True)
    row_ts = models.BigIntegerField()
    witness_ts = models.BigIntegerField()
    source_ts = models.BigIntegerField()
    events = models.BigIntegerField()
    snapshots = models.BigIntegerField()
    snapshot_differences = models.BigIntegerField()
    mismatches = models.BigIntegerField()
    repairs = models.BigIntegerField()
    best_mismatches = models.BigIntegerField()
    resyncs = models.BigIntegerField()
    witness_differences = models.BigIntegerField()
    bid_prices = ArrayField(models.IntegerField())
    bid_sizes = ArrayField(models.BigIntegerField())
    ask_prices = ArrayField(models.IntegerField())
    ask_sizes = ArrayField(models.BigIntegerField())
    trade_ts = ArrayField(models.BigIntegerField())
    trade_prices = ArrayField(models.IntegerField())
    trade_sizes = ArrayField(models.BigIntegerField())
    features = ArrayField(models.FloatField())
    completeness_ppm = ArrayField(models.IntegerField())
    p_hats = ArrayField(models.FloatField(null=True))
    lowers = ArrayField(models.FloatField(null=True))
    uppers = ArrayField(models.FloatField(null=True))
    forecast_ts = ArrayField(models.BigIntegerField(null=True))

    class Meta:
        """Names."""

        db_table = "ingest_quote"
        verbose_name = "quote"


class SampleRecord(models.Model):
    """A market every few seconds, for as long as `apps/ingest/quotes.py` keeps it; no features without a book."""

    pk = models.CompositePrimaryKey("shard", "market", "ts")
    shard = models.SmallIntegerField()
    market = models.IntegerField()
    ts = models.BigIntegerField()
    state = models.SmallIntegerField()
    bid = models.IntegerField(null=True)
    ask = models.IntegerField(null=True)
    p_hats = ArrayField(models.FloatField(null=True))
    lowers = ArrayField(models.FloatField(null=True))
    uppers = ArrayField(models.FloatField(null=True))
    features = ArrayField(models.FloatField())

    class Meta:
        """Names, and the index that old ones are forgotten by."""

        db_table = "ingest_sample"
        verbose_name = "sample"
        indexes = (models.Index(fields=("shard", "ts"), name="ingest_sample_old"),)


class FeedRecord(models.Model):
    """One connection since the loop began: rows, those with a venue's time, and how late they came.

    `lags` counts rows by `LAG_EDGES_MS` of `apps/ingest/quotes.py`, one more entry for what is later than all.
    """

    pk = models.CompositePrimaryKey("shard", "connection")
    shard = models.SmallIntegerField()
    connection = models.SmallIntegerField()
    at_ns = models.BigIntegerField()
    ts = models.BigIntegerField()
    alive_ts = models.BigIntegerField()
    rows = models.BigIntegerField()
    lags = ArrayField(models.BigIntegerField())

    class Meta:
        """Names."""

        db_table = "ingest_feed"
        verbose_name = "feed"


class ChangeRecord(models.Model):
    """A book became valid or was lost, a connection missed something, or the loop began anew. A projection.

    `id` numbers its row (`contracts/stretch.py`); `what` is in `apps/ingest/projections.py`; `market` -1 = all of the
    connection, `connection` -1 = of all.
    """

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    ts = models.BigIntegerField()
    what = models.SmallIntegerField()
    market = models.IntegerField()
    connection = models.SmallIntegerField()
    state = models.SmallIntegerField()
    why = models.SmallIntegerField()

    class Meta:
        """Names, and one index a question."""

        db_table = "ingest_change"
        verbose_name = "change of a book"
        indexes = (
            models.Index(fields=("shard", "ts"), name="ingest_change_ts"),
            models.Index(fields=("market", "-id"), name="ingest_change_market"),
            models.Index(fields=("what", "-id"), name="ingest_change_what"),
        )

    def __str__(self) -> str:
        return f"market {self.market}: {self.state}"


class RefusalRecord(models.Model):
    """How many frames of a connection the door has refused with a code. A projection."""

    pk = models.CompositePrimaryKey("shard", "connection", "code")
    shard = models.SmallIntegerField()
    connection = models.SmallIntegerField()
    code = models.SmallIntegerField()
    count = models.BigIntegerField()
    last_ts = models.BigIntegerField()
    last_seq = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "ingest_refusal"
        verbose_name = "refused frames"
