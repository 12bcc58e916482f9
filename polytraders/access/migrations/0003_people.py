"""The four roles, links for those who are invited, keys of programs, sessions, and walks over the audit."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from polytraders.access.permissions import Role


def make_roles(apps: Any, schema_editor: Any) -> None:
    """A group for each role; one that is there already stays."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for role in Role:
        groups.get_or_create(name=role.value)


class Migration(migrations.Migration):
    """Django's tables: the application writes them."""

    dependencies = [
        ("access", "0002_audit"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(make_roles, migrations.RunPython.noop),
        migrations.AddField("setuplink", "roles", models.TextField(default="")),
        migrations.AddField("setuplink", "made_by", models.TextField(default="")),
        migrations.AddField(
            "setuplink",
            "user",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("prefix", models.CharField(max_length=12, unique=True)),
                ("digest", models.BinaryField(max_length=32)),
                ("scopes", models.JSONField(default=list)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                (
                    "owner",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"verbose_name": "API key"},
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session_key", models.CharField(max_length=40, unique=True)),
                ("began_at", models.DateTimeField(auto_now_add=True)),
                ("ip", models.CharField(max_length=45)),
                ("agent", models.CharField(max_length=200)),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ChainCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked_by", models.TextField()),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("last_id", models.BigIntegerField(default=0)),
                ("head", models.TextField(default="")),
                ("wrong_id", models.BigIntegerField(null=True)),
                ("words", models.TextField(default="")),
                ("seconds", models.FloatField(null=True)),
            ],
        ),
    ]
