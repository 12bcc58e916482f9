"""Counters of the stages, killed scopes, strategies, and the loop's own row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections: the app role may write them, for they can be dropped and rebuilt."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="LoopRecord",
            fields=[
                ("shard", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("at_ns", models.BigIntegerField()),
                ("state", models.TextField()),
                ("mode", models.TextField()),
                ("venue", models.TextField()),
                ("speed", models.FloatField()),
                ("pid", models.IntegerField()),
                ("build_hash", models.TextField()),
                ("epoch_seq", models.BigIntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("loop_ts", models.BigIntegerField()),
                ("lag_ms", models.BigIntegerField()),
                ("input_head", models.TextField()),
                ("output_head", models.TextField()),
                ("chain_head", models.TextField()),
                ("rss_bytes", models.BigIntegerField()),
                ("is_killed", models.BooleanField()),
                ("queues", models.JSONField()),
                ("books", models.JSONField()),
                ("feeds", models.JSONField()),
                ("money", models.JSONField()),
                ("metrics", models.TextField()),
            ],
            options={
                "verbose_name": "loop",
                "db_table": "monitoring_loop",
            },
        ),
        migrations.CreateModel(
            name="ScopeRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "scope", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
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
                "verbose_name": "scope",
                "db_table": "monitoring_scope",
            },
        ),
        migrations.CreateModel(
            name="StageRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "stage", "what", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("stage", models.SmallIntegerField()),
                ("what", models.TextField()),
                ("count", models.BigIntegerField()),
                ("last_ts", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "stage counter",
                "db_table": "monitoring_stage",
            },
        ),
        migrations.CreateModel(
            name="StrategyRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "strategy", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("strategy", models.IntegerField()),
                ("name", models.TextField(default="")),
                ("stage", models.SmallIntegerField(null=True)),
                ("changed_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "strategy",
                "db_table": "monitoring_strategy",
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON monitoring_stage, monitoring_scope, monitoring_strategy,"
            " monitoring_loop TO polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
