"""The same tables as Django reads them; they are made in 0001, so nothing happens in the database."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Models without tables of their own."""

    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("eventlog", "0001_log"),
    ]

    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Block",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "first_seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.IntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                ("epoch_seq", models.BigIntegerField()),
                ("byte_from", models.BigIntegerField()),
                ("byte_to", models.BigIntegerField()),
                ("raw_from", models.BigIntegerField()),
                ("raw_to", models.BigIntegerField()),
                ("committed_at", models.DateTimeField()),
                ("inputs", models.IntegerField()),
                ("outputs", models.IntegerField()),
                ("segment", models.TextField()),
                ("raw_segment", models.TextField()),
                ("digest", models.BinaryField()),
                ("output_link", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "log_block",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Command",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("kind", models.TextField()),
                ("actor", models.TextField()),
                ("permission", models.TextField()),
                ("key", models.TextField(unique=True)),
                ("payload", models.TextField()),
                ("expires_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "inbox",
                "ordering": ["id"],
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Control",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "in_seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.IntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("kind", models.SmallIntegerField()),
                ("market", models.IntegerField()),
                ("actor", models.TextField()),
                ("key", models.TextField()),
                ("row", models.BinaryField()),
                ("payload", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "log_control",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Head",
            fields=[
                ("shard", models.IntegerField(primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("seq", models.BigIntegerField()),
                ("fence", models.BigIntegerField()),
                ("epoch_seq", models.BigIntegerField()),
                ("input_link", models.BinaryField()),
                ("input_head", models.BinaryField()),
                ("output_link", models.BinaryField()),
                ("output_links", models.BigIntegerField()),
                ("output_last_seq", models.BigIntegerField()),
                ("canonical_file", models.TextField()),
                ("canonical_bytes", models.BigIntegerField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "log_head",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Output",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "in_seq", "ordinal", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.IntegerField()),
                ("in_seq", models.BigIntegerField()),
                ("votes", models.BigIntegerField()),
                ("order_seq", models.BigIntegerField(null=True)),
                ("ordinal", models.IntegerField()),
                ("market", models.IntegerField()),
                ("strategy", models.IntegerField()),
                ("first", models.IntegerField()),
                ("kind", models.SmallIntegerField()),
                ("body", models.BinaryField()),
            ],
            options={
                "db_table": "log_output",
                "managed": False,
            },
        ),
    ]
