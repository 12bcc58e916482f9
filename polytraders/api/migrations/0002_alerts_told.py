"""The time up to which a webhook has been told of urgent alerts."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Webhooks that there are begin now."""

    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.AddField("webhook", "alerts_at", models.DateTimeField(default=django.utils.timezone.now)),
    ]
