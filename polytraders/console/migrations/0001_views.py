"""Two views that give rows with a key of several columns one number, for reading only."""

from django.db import migrations, models

VIEWS = """
CREATE VIEW console_market WITH (security_invoker = true) AS
SELECT (shard::bigint << 32) + market AS id, shard, market, condition_id, title, slug, cluster_name, venue, status,
       allowed, neg_risk, fee_bps, min_size, close_ts, payout, resolved_seq, changed_seq
  FROM registry_market;
CREATE VIEW console_scope WITH (security_invoker = true) AS
SELECT (shard::bigint << 40) + (scope::bigint << 32) + index + 1 AS id, shard, scope, index, is_killed, in_seq, ts,
       actor, reason
  FROM monitoring_scope;
REVOKE ALL ON console_market, console_scope FROM PUBLIC, polytraders_app;
GRANT SELECT ON console_market, console_scope TO polytraders_app;
"""
MARKET = ("venue", "status", "allowed", "neg_risk", "fee_bps", "min_size", "close_ts", "payout", "resolved_seq")


class Migration(migrations.Migration):
    """Made by SQL; Django reads them."""

    initial = True

    dependencies = [("registry", "0001_markets"), ("monitoring", "0001_counters")]

    operations = [
        migrations.RunSQL(VIEWS, "DROP VIEW console_market, console_scope"),
        migrations.CreateModel(
            name="MarketRow",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                *((name, models.TextField()) for name in ("condition_id", "title", "slug", "cluster_name")),
                *((name, models.BigIntegerField(null=True)) for name in MARKET),
                ("changed_seq", models.BigIntegerField()),
            ],
            options={"verbose_name": "market", "db_table": "console_market", "managed": False},
        ),
        migrations.CreateModel(
            name="ScopeRow",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("scope", models.SmallIntegerField()),
                ("index", models.IntegerField()),
                ("is_killed", models.BooleanField()),
                ("in_seq", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
            ],
            options={
                "verbose_name": "kill state of a scope",
                "verbose_name_plural": "kill states of scopes",
                "db_table": "console_scope",
                "managed": False,
            },
        ),
    ]
