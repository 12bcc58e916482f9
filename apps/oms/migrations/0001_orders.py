"""Orders and fills."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Tables of projections: the app role may write them, for they can be dropped and rebuilt."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="FillRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("ordinal", models.IntegerField()),
                ("ts", models.BigIntegerField()),
                ("order_seq", models.BigIntegerField()),
                ("market", models.IntegerField()),
                ("strategy", models.IntegerField()),
                ("action", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("price", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("money", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                ("is_maker", models.BooleanField()),
                ("code", models.SmallIntegerField()),
            ],
            options={
                "verbose_name": "fill",
                "db_table": "oms_fill",
                "indexes": [
                    models.Index(fields=["market", "-id"], name="oms_fill_market"),
                    models.Index(fields=["order_seq", "market", "strategy"], name="oms_fill_order"),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("order_seq", models.BigIntegerField()),
                ("market", models.IntegerField()),
                ("strategy", models.IntegerField()),
                ("action", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("price", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("filled", models.BigIntegerField()),
                ("cancelled", models.BigIntegerField()),
                ("held", models.BigIntegerField()),
                ("spent", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("created", "created"),
                            ("sent", "sent"),
                            ("unknown_pending", "unknown_pending"),
                            ("delayed", "delayed"),
                            ("resting", "resting"),
                            ("partially_filled", "partially_filled"),
                            ("cancel_pending", "cancel_pending"),
                            ("filled", "filled"),
                            ("cancelled", "cancelled"),
                            ("expired", "expired"),
                            ("rejected", "rejected"),
                            ("fenced", "fenced"),
                        ]
                    ),
                ),
                ("code", models.SmallIntegerField()),
                ("is_open", models.BooleanField()),
                ("created_ts", models.BigIntegerField()),
                ("changed_ts", models.BigIntegerField()),
                ("changed_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "order",
                "db_table": "oms_order",
                "indexes": [
                    models.Index(fields=["status", "-id"], name="oms_order_status"),
                    models.Index(fields=["market", "-id"], name="oms_order_market"),
                    models.Index(condition=models.Q(("is_open", True)), fields=["-id"], name="oms_order_open"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("shard", "order_seq", "market", "strategy"), name="oms_order_correlation"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON oms_order, oms_fill TO polytraders_app", migrations.RunSQL.noop
        ),
    ]
