"""Alerts, incidents, routes and what was sent; last runs of jobs; counts of codes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Operators' records, which no log can make again, and one projection (`monitoring_code`)."""

    dependencies = [
        ("monitoring", "0001_counters"),
    ]

    operations = [
        migrations.CreateModel(
            name="CodeRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "ts", "code", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("ts", models.BigIntegerField()),
                ("code", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "codes of ten minutes",
                "db_table": "monitoring_code",
            },
        ),
        migrations.CreateModel(
            name="TaskRecord",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("is_ok", models.BooleanField(null=True)),
                ("told", models.TextField(default="")),
                ("runs", models.BigIntegerField(default=0)),
                ("failures", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "regular task",
                "db_table": "monitoring_task",
            },
        ),
        migrations.CreateModel(
            name="MarkRecord",
            fields=[
                ("shard", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("in_seq", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "mark",
                "db_table": "monitoring_mark",
            },
        ),
        migrations.CreateModel(
            name="PulseRecord",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("told", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "pulse",
                "db_table": "monitoring_pulse",
            },
        ),
        migrations.CreateModel(
            name="RouteRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("client", models.TextField()),
                ("target", models.TextField()),
                ("per_hour", models.SmallIntegerField(default=30)),
                ("is_on", models.BooleanField(default=True)),
            ],
            options={
                "verbose_name": "route",
                "db_table": "monitoring_route",
            },
        ),
        migrations.CreateModel(
            name="IncidentRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.TextField()),
                ("scope", models.TextField()),
                ("priority", models.SmallIntegerField()),
                ("state", models.TextField(default="open")),
                ("words", models.TextField()),
                ("opened_at", models.DateTimeField()),
                ("acknowledge_by", models.DateTimeField()),
                ("resolve_by", models.DateTimeField()),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("assignee", models.TextField(default="")),
                ("escalations", models.SmallIntegerField(default=0)),
                ("postmortem", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "incident",
                "db_table": "monitoring_incident",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "closed"), _negated=True),
                        fields=["priority", "opened_at"],
                        name="incident_open",
                    ),
                    models.Index(fields=["code", "-id"], name="incident_code"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "closed"), _negated=True),
                        fields=("code", "scope"),
                        name="incident_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("codes", models.TextField(blank=True, default="")),
                ("scope", models.TextField(blank=True, default="")),
                ("priority", models.SmallIntegerField()),
                ("level", models.SmallIntegerField(default=0)),
                ("quiet_from", models.SmallIntegerField(null=True)),
                ("quiet_to", models.SmallIntegerField(null=True)),
                (
                    "route",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rules", to="monitoring.routerecord"
                    ),
                ),
            ],
            options={
                "verbose_name": "rule",
                "db_table": "monitoring_rule",
            },
        ),
        migrations.CreateModel(
            name="AlertRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.TextField()),
                ("scope", models.TextField()),
                ("source", models.TextField()),
                ("priority", models.SmallIntegerField()),
                ("is_open", models.BooleanField(default=True)),
                ("words", models.TextField()),
                ("count", models.BigIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("over_at", models.DateTimeField(null=True)),
                (
                    "incident",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="alerts",
                        to="monitoring.incidentrecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "alert",
                "db_table": "monitoring_alert",
                "indexes": [models.Index(fields=["incident", "-id"], name="alert_incident")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_open", True)), fields=("code", "scope"), name="alert_one"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentStepRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("kind", models.TextField()),
                ("actor", models.TextField(default="")),
                ("words", models.TextField(default="")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="monitoring.incidentrecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "incident's step",
                "db_table": "monitoring_incident_step",
                "indexes": [models.Index(fields=["incident", "id"], name="incident_step_line")],
            },
        ),
        migrations.CreateModel(
            name="DeliveryRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.TextField(unique=True)),
                ("what", models.TextField()),
                ("priority", models.SmallIntegerField()),
                ("message", models.JSONField()),
                ("state", models.TextField(default="waiting")),
                ("attempts", models.SmallIntegerField(default=0)),
                ("held", models.TextField(default="")),
                ("error", models.TextField(default="")),
                ("made_at", models.DateTimeField()),
                ("next_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "incident",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="deliveries",
                        to="monitoring.incidentrecord",
                    ),
                ),
                (
                    "route",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="monitoring.routerecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "db_table": "monitoring_delivery",
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["next_at"], name="delivery_due"),
                    models.Index(
                        condition=models.Q(("state", "sent")), fields=["route", "done_at"], name="delivery_sent"
                    ),
                    models.Index(fields=["incident", "-id"], name="delivery_incident"),
                ],
            },
        ),
        migrations.RunSQL(
            # Nothing of what happened can be taken away, and a time line is never changed.
            "REVOKE DELETE, TRUNCATE ON monitoring_incident, monitoring_alert, monitoring_delivery,"
            " monitoring_incident_step FROM polytraders_app;"
            " REVOKE UPDATE ON monitoring_incident_step FROM polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
