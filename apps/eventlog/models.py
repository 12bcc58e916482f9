"""The log's tables for Django to read; made by the migration's SQL, written by `store.Writer` only."""

from typing import ClassVar

from django.db import models


class Head(models.Model):
    """Where a shard's log ends."""

    shard = models.IntegerField(primary_key=True)
    version = models.IntegerField()
    seq = models.BigIntegerField()
    fence = models.BigIntegerField()
    epoch_seq = models.BigIntegerField()
    input_link = models.BinaryField()
    input_head = models.BinaryField()
    output_link = models.BinaryField()
    output_links = models.BigIntegerField()
    output_last_seq = models.BigIntegerField()
    canonical_file = models.TextField()
    canonical_bytes = models.BigIntegerField()
    updated_at = models.DateTimeField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "log_head"

    def __str__(self) -> str:
        return f"shard {self.shard} at input {self.seq}"


class Block(models.Model):
    """A sealed stretch of the canonical segment."""

    pk = models.CompositePrimaryKey("shard", "first_seq")
    shard = models.IntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    epoch_seq = models.BigIntegerField()
    byte_from = models.BigIntegerField()
    byte_to = models.BigIntegerField()
    raw_from = models.BigIntegerField()
    raw_to = models.BigIntegerField()
    committed_at = models.DateTimeField()
    inputs = models.IntegerField()
    outputs = models.IntegerField()
    segment = models.TextField()
    raw_segment = models.TextField()
    digest = models.BinaryField()
    output_link = models.BinaryField(null=True)

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "log_block"

    def __str__(self) -> str:
        return f"inputs {self.first_seq} to {self.last_seq}"


class Control(models.Model):
    """An input that is not market data."""

    pk = models.CompositePrimaryKey("shard", "in_seq")
    shard = models.IntegerField()
    in_seq = models.BigIntegerField()
    kind = models.SmallIntegerField()
    market = models.IntegerField()
    actor = models.TextField()
    key = models.TextField()
    row = models.BinaryField()
    payload = models.BinaryField(null=True)

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "log_control"

    def __str__(self) -> str:
        return f"input {self.in_seq}, kind {self.kind}, by {self.actor}"


class Output(models.Model):
    """What the loop made of an input; `bodies.unbody` opens the body."""

    pk = models.CompositePrimaryKey("shard", "in_seq", "ordinal")
    shard = models.IntegerField()
    in_seq = models.BigIntegerField()
    votes = models.BigIntegerField()
    order_seq = models.BigIntegerField(null=True)
    ordinal = models.IntegerField()
    market = models.IntegerField()
    strategy = models.IntegerField()
    first = models.IntegerField()
    kind = models.SmallIntegerField()
    body = models.BinaryField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "log_output"

    def __str__(self) -> str:
        return f"output {self.in_seq}:{self.ordinal}"


class Command(models.Model):
    """A command that waits for the loop; `inbox.put` makes one."""

    id = models.BigAutoField(primary_key=True)
    shard = models.IntegerField()
    kind = models.TextField()
    actor = models.TextField()
    permission = models.TextField()
    key = models.TextField(unique=True)
    payload = models.TextField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        """Made by SQL."""

        managed = False
        db_table = "inbox"
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor}"
