"""Kept answers, webhooks and their deliveries."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("url", models.TextField()),
                ("events", models.JSONField()),
                ("sealed", models.BinaryField()),
                ("created_by", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("is_active", models.BooleanField(default=True)),
                ("failures", models.IntegerField(default=0)),
                ("disabled_at", models.DateTimeField(null=True)),
                ("disabled_code", models.TextField(default="")),
                ("shard", models.SmallIntegerField(default=0)),
                ("in_seq", models.BigIntegerField(default=0)),
                ("ordinal", models.BigIntegerField(default=-1)),
            ],
            options={
                "db_table": "api_webhook",
                "ordering": ("-created_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="AnswerRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("principal", models.TextField()),
                ("key", models.TextField()),
                ("route", models.TextField()),
                ("body_digest", models.BinaryField(max_length=32)),
                ("status", models.SmallIntegerField(null=True)),
                ("body", models.TextField(default="")),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "verbose_name": "kept answer",
                "db_table": "api_answer",
                "constraints": [models.UniqueConstraint(fields=("principal", "key"), name="api_answer_once")],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.TextField()),
                ("kind", models.TextField()),
                ("body", models.TextField()),
                ("state", models.TextField(default="waiting")),
                ("tries", models.IntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("last_status", models.SmallIntegerField(null=True)),
                ("last_error", models.TextField(default="")),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="api.webhook"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "db_table": "api_delivery",
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["due_at"], name="api_delivery_due"),
                    models.Index(fields=["webhook", "-id"], name="api_delivery_newest"),
                ],
                "constraints": [models.UniqueConstraint(fields=("webhook", "event_id"), name="api_delivery_once")],
            },
        ),
    ]
