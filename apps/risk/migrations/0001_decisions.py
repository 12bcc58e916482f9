"""Decisions, and how many evaluations ended with which code."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections: the app role may write them, for they can be dropped and rebuilt."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="HourRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "market",
                        "hour_ts",
                        "strategy",
                        "code",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("hour_ts", models.BigIntegerField()),
                ("strategy", models.IntegerField()),
                ("code", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "evaluations of an hour",
                "db_table": "risk_hour",
            },
        ),
        migrations.CreateModel(
            name="MinuteRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "minute_ts",
                        "strategy",
                        "code",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("minute_ts", models.BigIntegerField()),
                ("strategy", models.IntegerField()),
                ("code", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "evaluations of a minute",
                "db_table": "risk_minute",
            },
        ),
        migrations.CreateModel(
            name="DecisionRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("ordinal", models.IntegerField()),
                ("ts", models.BigIntegerField()),
                ("market", models.IntegerField()),
                ("strategy", models.IntegerField()),
                ("verdict", models.SmallIntegerField(choices=[(0, "approve"), (1, "reject"), (2, "wait")])),
                ("first", models.SmallIntegerField()),
                ("code", models.SmallIntegerField()),
                ("votes", models.BigIntegerField()),
                ("action", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("p_hat", models.FloatField(null=True)),
                ("p_own", models.BigIntegerField(null=True)),
                ("q_exec", models.BigIntegerField(null=True)),
                ("fee", models.BigIntegerField(null=True)),
                ("buffer", models.BigIntegerField(null=True)),
                ("net_edge", models.BigIntegerField(null=True)),
                ("price", models.BigIntegerField(null=True)),
                ("approved_size", models.BigIntegerField()),
                ("counted", models.BigIntegerField()),
                ("counted_code", models.SmallIntegerField(null=True)),
            ],
            options={
                "verbose_name": "decision",
                "db_table": "risk_decision",
                "indexes": [
                    models.Index(fields=["market", "-id"], name="risk_decision_market"),
                    models.Index(fields=["strategy", "-id"], name="risk_decision_strategy"),
                    models.Index(fields=["code", "-id"], name="risk_decision_code"),
                    models.Index(fields=["verdict", "-id"], name="risk_decision_verdict"),
                ],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON risk_decision, risk_minute, risk_hour TO polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
