"""Orders and fills to be listed. Rebuilt from the log at any time."""

from django.db import models

from polytraders.contracts.orders import OrderStatus


class OrderRecord(models.Model):
    """One order: where it is in its life.

    `id` numbers its approval (`contracts/stretch.py`). Units as in `contracts/orders.py`.
    """

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    order_seq = models.BigIntegerField()
    market = models.IntegerField()
    strategy = models.IntegerField()
    action = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    price = models.BigIntegerField()
    size = models.BigIntegerField()
    filled = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    held = models.BigIntegerField()
    spent = models.BigIntegerField()
    fee = models.BigIntegerField()
    status = models.TextField(choices=[(status.value, status.value) for status in OrderStatus])
    code = models.SmallIntegerField()
    is_open = models.BooleanField()
    created_ts = models.BigIntegerField()
    changed_ts = models.BigIntegerField()
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names and indexes."""

        db_table = "oms_order"
        verbose_name = "order"
        constraints = (
            models.UniqueConstraint(fields=("shard", "order_seq", "market", "strategy"), name="oms_order_correlation"),
        )
        indexes = (
            models.Index(fields=("status", "-id"), name="oms_order_status"),
            models.Index(fields=("market", "-id"), name="oms_order_market"),
            models.Index(fields=("strategy", "-id"), name="oms_order_strategy"),
            models.Index(fields=("-id",), name="oms_order_open", condition=models.Q(is_open=True)),
        )

    def __str__(self) -> str:
        """The id that joins it with its decision, fills and transfers."""
        return self.correlation_id

    @property
    def correlation_id(self) -> str:
        """Input, market and strategy of its approval."""
        return f"{self.order_seq}:{self.market}:{self.strategy}"


class FillRecord(models.Model):
    """One fill. `id` numbers its output row; `money` > 0 spent, < 0 received, micro-pUSD."""

    id = models.BigIntegerField(primary_key=True)
    shard = models.SmallIntegerField()
    in_seq = models.BigIntegerField()
    ordinal = models.IntegerField()
    ts = models.BigIntegerField()
    order_seq = models.BigIntegerField()
    market = models.IntegerField()
    strategy = models.IntegerField()
    action = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    price = models.BigIntegerField()
    size = models.BigIntegerField()
    money = models.BigIntegerField()
    fee = models.BigIntegerField()
    is_maker = models.BooleanField()
    code = models.SmallIntegerField()

    class Meta:
        """Names and indexes."""

        db_table = "oms_fill"
        verbose_name = "fill"
        indexes = (
            models.Index(fields=("market", "-id"), name="oms_fill_market"),
            models.Index(fields=("strategy", "-id"), name="oms_fill_strategy"),
            models.Index(fields=("order_seq", "market", "strategy"), name="oms_fill_order"),
        )

    def __str__(self) -> str:
        """Its name in addresses."""
        return f"{self.in_seq}:{self.ordinal}"
