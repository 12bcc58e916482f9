"""Indexes of the stream of decisions: by time, and by strategy and code together."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two indexes, so that no filter of the page reads what it does not show."""

    dependencies = [("risk", "0003_proposals")]

    operations = [
        migrations.AddIndex("decisionrecord", models.Index(fields=["ts", "id"], name="risk_decision_time")),
        migrations.AddIndex(
            "decisionrecord", models.Index(fields=["strategy", "code", "id"], name="risk_decision_both")
        ),
    ]
