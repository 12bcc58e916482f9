"""What Django knows of the tables: enough to read them. It makes nothing in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """State only."""

    dependencies = [("ledger", "0002_rules")]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("code", models.TextField()),
                ("asset", models.TextField()),
                ("kind", models.TextField()),
                ("may_be_negative", models.BooleanField()),
                ("balance", models.BigIntegerField()),
                ("incoming", models.BigIntegerField()),
                ("outgoing", models.BigIntegerField()),
            ],
            options={
                "db_table": "ledger_account",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "transfer_id", "leg", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("leg", models.SmallIntegerField()),
                ("shard", models.IntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("ordinal", models.BigIntegerField()),
                ("asset", models.TextField()),
                ("posted", models.BigIntegerField()),
                ("incoming", models.BigIntegerField()),
                ("outgoing", models.BigIntegerField()),
            ],
            options={
                "db_table": "ledger_entry",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("ordinal", models.BigIntegerField()),
                ("part", models.TextField()),
                ("phase", models.TextField()),
                ("asset", models.TextField()),
                ("amount", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("correlation", models.TextField()),
                ("resolves_seq", models.BigIntegerField(null=True)),
                ("resolves_ordinal", models.BigIntegerField(null=True)),
                ("resolves_part", models.TextField(null=True)),
            ],
            options={
                "db_table": "ledger_transfer",
                "managed": False,
            },
        ),
    ]
