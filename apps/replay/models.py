"""Replays of the stored log, one row each: the evidence that the loop still decides as it did."""

from django.db import models


class ReplayRecord(models.Model):
    """What one replay of a shard's log found; times are UTC, heads and build hex.

    `verdict_code` is GOV_REPLAY_MATCH, GOV_REPLAY_REGRESSION or GOV_REPLAY_DRIFT; GOV_REPLAY_ABORTED when it did not
    reach its end, and then `first_difference` says why.
    """

    shard = models.SmallIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    verdict_code = models.TextField()
    from_seq = models.BigIntegerField(null=True)
    to_seq = models.BigIntegerField(null=True)
    parity = models.FloatField(null=True)
    drift = models.FloatField(null=True)
    input_head = models.TextField(default="")
    output_head = models.TextField(default="")
    chain_head = models.TextField(default="")
    first_difference = models.TextField(default="")
    seconds = models.FloatField()
    events_per_second = models.FloatField(null=True)
    build = models.TextField(default="")
    report = models.JSONField(null=True)

    class Meta:
        """Names."""

        db_table = "replay_report"
        verbose_name = "replay"
        ordering = ("-id",)
        indexes = (models.Index(fields=("shard", "-id"), name="replay_newest"),)

    def __str__(self) -> str:
        return f"shard {self.shard} to input {self.to_seq}: {self.verdict_code}"
