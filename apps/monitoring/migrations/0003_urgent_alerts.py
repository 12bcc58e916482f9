"""An index of urgent alerts by time, which webhooks are told of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One partial index: urgent alerts are few."""

    dependencies = [("monitoring", "0002_alerts")]

    operations = [
        migrations.AddIndex(
            "alertrecord",
            models.Index(fields=["first_at"], condition=models.Q(priority__lte=1), name="alert_urgent"),
        ),
    ]
