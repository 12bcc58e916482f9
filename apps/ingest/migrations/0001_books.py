"""Quotes, samples and feeds as the loop tells them; changes and refusals as the log says them."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections and of the loop's word: the app role may write them, for they can be dropped and made anew."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="FeedRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "connection", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("connection", models.SmallIntegerField()),
                ("at_ns", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("alive_ts", models.BigIntegerField()),
                ("rows", models.BigIntegerField()),
                ("lags", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
            options={
                "verbose_name": "feed",
                "db_table": "ingest_feed",
            },
        ),
        migrations.CreateModel(
            name="QuoteRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "market", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("at_ns", models.BigIntegerField()),
                ("state", models.SmallIntegerField()),
                ("why", models.SmallIntegerField()),
                ("code", models.SmallIntegerField()),
                ("votes", models.BigIntegerField()),
                ("connection", models.SmallIntegerField()),
                ("tick", models.IntegerField()),
                ("bid", models.IntegerField(null=True)),
                ("ask", models.IntegerField(null=True)),
                ("bid_size", models.BigIntegerField()),
                ("ask_size", models.BigIntegerField()),
                ("spread", models.IntegerField(null=True)),
                ("depth", models.BigIntegerField()),
                ("last_price", models.IntegerField(null=True)),
                ("row_ts", models.BigIntegerField()),
                ("witness_ts", models.BigIntegerField()),
                ("source_ts", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
                ("snapshots", models.BigIntegerField()),
                ("snapshot_differences", models.BigIntegerField()),
                ("mismatches", models.BigIntegerField()),
                ("repairs", models.BigIntegerField()),
                ("best_mismatches", models.BigIntegerField()),
                ("resyncs", models.BigIntegerField()),
                ("witness_differences", models.BigIntegerField()),
                ("bid_prices", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                (
                    "bid_sizes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("ask_prices", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                (
                    "ask_sizes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("trade_ts", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                (
                    "trade_prices",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
                (
                    "trade_sizes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("features", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                (
                    "completeness_ppm",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
                (
                    "p_hats",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                (
                    "lowers",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                (
                    "uppers",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                (
                    "forecast_ts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(null=True), size=None),
                ),
            ],
            options={
                "verbose_name": "quote",
                "db_table": "ingest_quote",
            },
        ),
        migrations.CreateModel(
            name="RefusalRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "connection", "code", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("connection", models.SmallIntegerField()),
                ("code", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
                ("last_ts", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "refused frames",
                "db_table": "ingest_refusal",
            },
        ),
        migrations.CreateModel(
            name="ChangeRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("ts", models.BigIntegerField()),
                ("what", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("connection", models.SmallIntegerField()),
                ("state", models.SmallIntegerField()),
                ("why", models.SmallIntegerField()),
            ],
            options={
                "verbose_name": "change of a book",
                "db_table": "ingest_change",
                "indexes": [
                    models.Index(fields=["shard", "ts"], name="ingest_change_ts"),
                    models.Index(fields=["market", "-id"], name="ingest_change_market"),
                    models.Index(fields=["what", "-id"], name="ingest_change_what"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SampleRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "market", "ts", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("ts", models.BigIntegerField()),
                ("state", models.SmallIntegerField()),
                ("bid", models.IntegerField(null=True)),
                ("ask", models.IntegerField(null=True)),
                (
                    "p_hats",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                (
                    "lowers",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                (
                    "uppers",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=None),
                ),
                ("features", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
            ],
            options={
                "verbose_name": "sample",
                "db_table": "ingest_sample",
                "indexes": [models.Index(fields=["shard", "ts"], name="ingest_sample_old")],
            },
        ),
        # Rewritten many times a second and told again after a crash: no place for them in the database's own log, and
        # room on each page so that a row can be overwritten where it lies.
        migrations.RunSQL(
            "ALTER TABLE ingest_quote SET UNLOGGED, SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_threshold = 5000);"
            "ALTER TABLE ingest_feed SET UNLOGGED; ALTER TABLE ingest_sample SET UNLOGGED;"
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ingest_quote, ingest_sample, ingest_feed, ingest_change,"
            " ingest_refusal TO polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
