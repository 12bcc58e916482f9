"""Replays of the stored log, one row each: the evidence that the loop still decides as it did. And jobs."""

from django.db import models

from polytraders.contracts import job as j


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


class JobRecord(models.Model):
    """Work that somebody asked for: how far it is, and what came of it. Times are UTC.

    `digest` is the SHA-256 of kind and arguments: the same question. `code` says why there is no result.
    """

    kind = models.TextField()
    arguments = models.JSONField()
    digest = models.TextField()
    asked_by = models.TextField()
    state = models.TextField(choices=[(state, state) for state in j.STATES], default=j.QUEUED)
    part = models.FloatField(default=0.0)
    words = models.TextField(default="", blank=True)
    code = models.TextField(default="", blank=True)
    result = models.JSONField(null=True)
    is_cancelled = models.BooleanField(default=False)
    attempts = models.SmallIntegerField(default=0)
    asked_at = models.DateTimeField(auto_now_add=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Names; few jobs are alive, however many have been."""

        db_table = "replay_job"
        verbose_name = "job"
        indexes = (
            models.Index(fields=("digest", "-id"), name="replay_job_same"),
            models.Index(fields=("id",), name="replay_job_alive", condition=models.Q(state__in=j.ALIVE)),
        )

    def __str__(self) -> str:
        return f"job {self.pk}, {self.kind}: {self.state}"

    @property
    def is_alive(self) -> bool:
        """Whether something is still to come."""
        return self.state in j.ALIVE
