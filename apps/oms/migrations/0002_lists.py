"""Orders and fills of one strategy, newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes of two lists of the console."""

    dependencies = [
        ("oms", "0001_orders"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="fillrecord",
            index=models.Index(fields=["strategy", "-id"], name="oms_fill_strategy"),
        ),
        migrations.AddIndex(
            model_name="orderrecord",
            index=models.Index(fields=["strategy", "-id"], name="oms_order_strategy"),
        ),
    ]
