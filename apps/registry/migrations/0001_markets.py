"""Markets."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections: the app role may write them, for they can be dropped and rebuilt."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="MarketRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "market", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("condition_id", models.TextField(default="")),
                ("token_yes", models.TextField(default="")),
                ("token_no", models.TextField(default="")),
                ("title", models.TextField(default="")),
                ("slug", models.TextField(default="")),
                ("cluster_name", models.TextField(default="")),
                ("venue", models.BigIntegerField(null=True)),
                ("min_size", models.BigIntegerField(null=True)),
                ("fee_rate", models.BigIntegerField(null=True)),
                ("fee_exponent", models.BigIntegerField(null=True)),
                ("fee_taker_only", models.BigIntegerField(null=True)),
                ("taker_delay_ms", models.BigIntegerField(null=True)),
                ("close_ts", models.BigIntegerField(null=True)),
                ("cluster", models.BigIntegerField(null=True)),
                ("neg_risk", models.BigIntegerField(null=True)),
                ("fee_bps", models.BigIntegerField(null=True)),
                ("status", models.BigIntegerField(null=True)),
                ("allowed", models.BigIntegerField(null=True)),
                ("gap_p999_ms", models.BigIntegerField(null=True)),
                ("reference", models.BigIntegerField(null=True)),
                ("strike", models.BigIntegerField(null=True)),
                ("connection", models.BigIntegerField(null=True)),
                ("synced_ts", models.BigIntegerField(null=True)),
                ("payout", models.BigIntegerField(null=True)),
                ("resolved_seq", models.BigIntegerField(null=True)),
                ("changed_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "market",
                "db_table": "registry_market",
                "indexes": [
                    models.Index(fields=["condition_id"], name="registry_market_condition"),
                    models.Index(fields=["slug"], name="registry_market_slug"),
                    models.Index(fields=["shard", "close_ts"], name="registry_market_close"),
                ],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON registry_market TO polytraders_app", migrations.RunSQL.noop
        ),
    ]
