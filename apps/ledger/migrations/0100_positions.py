"""What each strategy holds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections: the app role may write them, for they can be dropped and rebuilt."""

    dependencies = [("ledger", "0003_models")]

    operations = [
        migrations.CreateModel(
            name="PositionRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "market",
                        "strategy",
                        "outcome",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("strategy", models.IntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("size", models.BigIntegerField()),
                ("cost", models.BigIntegerField()),
                ("realised", models.BigIntegerField()),
                ("fees", models.BigIntegerField()),
                ("changed_ts", models.BigIntegerField()),
                ("changed_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "position",
                "db_table": "ledger_position",
                "indexes": [
                    models.Index(
                        condition=models.Q(("size", 0), _negated=True),
                        fields=["strategy", "market"],
                        name="ledger_position_held",
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_position TO polytraders_app", migrations.RunSQL.noop
        ),
    ]
