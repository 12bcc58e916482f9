"""Jobs that pages ask for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One table, which web and workers write. It is no evidence: old jobs are forgotten."""

    dependencies = [("replay", "0001_reports")]

    operations = [
        migrations.CreateModel(
            name="JobRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.TextField()),
                ("arguments", models.JSONField()),
                ("digest", models.TextField()),
                ("asked_by", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="queued",
                    ),
                ),
                ("part", models.FloatField(default=0.0)),
                ("words", models.TextField(blank=True, default="")),
                ("code", models.TextField(blank=True, default="")),
                ("result", models.JSONField(null=True)),
                ("is_cancelled", models.BooleanField(default=False)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("began_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "job",
                "db_table": "replay_job",
                "indexes": [
                    models.Index(fields=["digest", "-id"], name="replay_job_same"),
                    models.Index(
                        condition=models.Q(("state__in", ("queued", "running"))), fields=["id"], name="replay_job_alive"
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON replay_job TO polytraders_app", migrations.RunSQL.noop
        ),
    ]
