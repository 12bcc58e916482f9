"""How good forecasts and estimates were: what has been judged, and the sums that pages read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Made from other tables by a task, so they can be emptied and made again."""

    dependencies = [
        ("replay", "0002_jobs"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExecutedRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("strategy", models.IntegerField()),
                ("ts", models.BigIntegerField()),
                ("q_exec", models.BigIntegerField()),
                ("price", models.BigIntegerField(null=True)),
                ("slippage", models.BigIntegerField(null=True)),
                ("p_fill", models.FloatField(null=True)),
                ("size", models.BigIntegerField()),
                ("filled", models.BigIntegerField()),
                ("is_maker", models.BooleanField()),
            ],
            options={
                "verbose_name": "judged order",
                "db_table": "replay_executed",
            },
        ),
        migrations.CreateModel(
            name="ExecutionRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "strategy",
                        "what",
                        "bin",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("strategy", models.IntegerField()),
                ("what", models.SmallIntegerField()),
                ("bin", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
                ("expected", models.FloatField()),
                ("came", models.FloatField()),
                ("whole", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "execution score",
                "db_table": "replay_execution",
            },
        ),
        migrations.CreateModel(
            name="ForecastRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "strategy",
                        "market",
                        "horizon",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("strategy", models.IntegerField()),
                ("market", models.IntegerField()),
                ("horizon", models.SmallIntegerField()),
                ("decision", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("p_hat", models.FloatField()),
                ("mid", models.FloatField(null=True)),
                ("pays", models.SmallIntegerField()),
            ],
            options={
                "verbose_name": "judged forecast",
                "db_table": "replay_forecast",
            },
        ),
        migrations.CreateModel(
            name="ReachedRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "what", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("what", models.TextField()),
                ("at", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "place reached",
                "db_table": "replay_reached",
            },
        ),
        migrations.CreateModel(
            name="ScoredRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "market", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("payout", models.IntegerField()),
                ("forecasts", models.IntegerField()),
            ],
            options={
                "verbose_name": "scored market",
                "db_table": "replay_scored",
            },
        ),
        migrations.CreateModel(
            name="ScoreRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "strategy",
                        "horizon",
                        "who",
                        "bin",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("strategy", models.IntegerField()),
                ("horizon", models.SmallIntegerField()),
                ("who", models.SmallIntegerField()),
                ("bin", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
                ("hits", models.BigIntegerField()),
                ("forecast", models.FloatField()),
                ("brier", models.FloatField()),
                ("loss", models.FloatField()),
            ],
            options={
                "verbose_name": "score",
                "db_table": "replay_score",
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON replay_forecast, replay_scored, replay_score, replay_executed,"
            " replay_execution, replay_reached TO polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
