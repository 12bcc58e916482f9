"""Reports of replays of the stored log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One table. It is evidence: the app role adds to it and changes nothing."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ReplayRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shard", models.SmallIntegerField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("verdict_code", models.TextField()),
                ("from_seq", models.BigIntegerField(null=True)),
                ("to_seq", models.BigIntegerField(null=True)),
                ("parity", models.FloatField(null=True)),
                ("drift", models.FloatField(null=True)),
                ("input_head", models.TextField(default="")),
                ("output_head", models.TextField(default="")),
                ("chain_head", models.TextField(default="")),
                ("first_difference", models.TextField(default="")),
                ("seconds", models.FloatField()),
                ("events_per_second", models.FloatField(null=True)),
                ("build", models.TextField(default="")),
                ("report", models.JSONField(null=True)),
            ],
            options={
                "verbose_name": "replay",
                "db_table": "replay_report",
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["shard", "-id"], name="replay_newest")],
            },
        ),
        migrations.RunSQL(
            "REVOKE ALL ON replay_report FROM polytraders_app; GRANT SELECT, INSERT ON replay_report TO polytraders_app",
            migrations.RunSQL.noop,
        ),
    ]
