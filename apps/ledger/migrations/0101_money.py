"""Money over time, marks, what is sold off, proofs; and an account's history by one index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The app role writes these tables; the index is the owner's."""

    dependencies = [
        ("ledger", "0100_positions"),
    ]

    operations = [
        migrations.CreateModel(
            name="FlattenRecord",
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
                ("is_on", models.BooleanField()),
                ("in_seq", models.BigIntegerField()),
                ("ts", models.BigIntegerField()),
                ("actor", models.TextField()),
            ],
            options={
                "verbose_name": "cash-out",
                "db_table": "ledger_flatten",
            },
        ),
        migrations.CreateModel(
            name="MarkRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "market", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("bid", models.BigIntegerField()),
                ("ask", models.BigIntegerField()),
                ("state", models.SmallIntegerField()),
                ("row_ts", models.BigIntegerField()),
                ("exposure", models.BigIntegerField()),
                ("worst", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "mark",
                "db_table": "ledger_mark",
            },
        ),
        migrations.CreateModel(
            name="MoneyRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "minute_ts", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("minute_ts", models.BigIntegerField()),
                ("equity", models.BigIntegerField()),
                ("cash", models.BigIntegerField()),
                ("reserved", models.BigIntegerField()),
                ("realised", models.BigIntegerField()),
                ("fees", models.BigIntegerField()),
                ("deposited", models.BigIntegerField()),
                ("exposure", models.BigIntegerField()),
                ("low", models.BigIntegerField()),
                ("high", models.BigIntegerField()),
                ("fall", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "money of a minute",
                "db_table": "ledger_money",
            },
        ),
        migrations.CreateModel(
            name="ProofRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shard", models.SmallIntegerField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("in_seq", models.BigIntegerField()),
                ("code", models.TextField(default="")),
                ("words", models.TextField(default="")),
                ("seconds", models.FloatField()),
            ],
            options={
                "verbose_name": "proof",
                "db_table": "ledger_proof",
                "indexes": [models.Index(fields=["shard", "-id"], name="ledger_proof_newest")],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_money, ledger_mark, ledger_flatten, ledger_proof"
            " TO polytraders_app",
            migrations.RunSQL.noop,
        ),
        # Without it an account's history is a walk through all entries.
        migrations.RunSQL(
            "CREATE INDEX ledger_entry_account ON ledger_entry (account_id, transfer_id)",
            "DROP INDEX ledger_entry_account",
        ),
    ]
