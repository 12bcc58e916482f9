"""How far each stage has come, what is killed, how the loop is; and what operators keep: alerts, incidents, routes."""

from django.db import models

PERCENT_PPM = 10_000


class StageRecord(models.Model):
    """One counter of a stage: how often, and the loop time of the last one (null: no time was told)."""

    pk = models.CompositePrimaryKey("shard", "stage", "what")
    shard = models.SmallIntegerField()
    stage = models.SmallIntegerField()
    what = models.TextField()
    count = models.BigIntegerField()
    last_ts = models.BigIntegerField(null=True)

    class Meta:
        """Names."""

        db_table = "monitoring_stage"
        verbose_name = "stage counter"


class ScopeRecord(models.Model):
    """A scope that has been killed at least once, and whether it still is. Who did it, why, and at which input."""

    pk = models.CompositePrimaryKey("shard", "scope", "index")
    shard = models.SmallIntegerField()
    scope = models.SmallIntegerField()
    index = models.IntegerField()
    is_killed = models.BooleanField()
    in_seq = models.BigIntegerField()
    ts = models.BigIntegerField()
    actor = models.TextField()
    reason = models.TextField()

    class Meta:
        """Names."""

        db_table = "monitoring_scope"
        verbose_name = "scope"


class StrategyRecord(models.Model):
    """What a strategy is called and how far it may go (`contracts/inputs.py` Stage)."""

    pk = models.CompositePrimaryKey("shard", "strategy")
    shard = models.SmallIntegerField()
    strategy = models.IntegerField()
    name = models.TextField(default="")
    stage = models.SmallIntegerField(null=True)
    changed_seq = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "monitoring_strategy"
        verbose_name = "strategy"


class LoopRecord(models.Model):
    """How a shard's loop is, one row, overwritten a few times a second by its process: no projection, not rebuilt.

    `at_ns` is the wall clock at the last writing, so that a reader can tell a quiet loop from a dead one.
    """

    shard = models.SmallIntegerField(primary_key=True)
    at_ns = models.BigIntegerField()
    state = models.TextField()
    mode = models.TextField()
    venue = models.TextField()
    speed = models.FloatField()
    pid = models.IntegerField()
    build_hash = models.TextField()
    epoch_seq = models.BigIntegerField()
    in_seq = models.BigIntegerField()
    loop_ts = models.BigIntegerField()
    lag_ms = models.BigIntegerField()
    input_head = models.TextField()
    output_head = models.TextField()
    chain_head = models.TextField()
    rss_bytes = models.BigIntegerField()
    is_killed = models.BooleanField()
    queues = models.JSONField()
    books = models.JSONField()
    feeds = models.JSONField()
    money = models.JSONField()
    metrics = models.TextField()

    class Meta:
        """Names."""

        db_table = "monitoring_loop"
        verbose_name = "loop"

    @property
    def breached(self) -> str:
        """Drawdown limits that are reached, in words; "" = none. While one is, only reductions are approved."""
        told: dict[str, int] = self.money
        return "; ".join(
            f"drawdown {words} {told[name] / PERCENT_PPM:.2f} % of {told[f'{name}_max'] / PERCENT_PPM:.2f} %"
            for name, words in (("drawdown_day", "today"), ("drawdown_week", "this week"))
            if told.get(f"{name}_max") and told.get(name, 0) >= told[f"{name}_max"]
        )


class CodeRecord(models.Model):
    """How often a code was said within ten minutes of loop time: verdicts, ends of orders, refused frames, gaps."""

    pk = models.CompositePrimaryKey("shard", "ts", "code")
    shard = models.SmallIntegerField()
    ts = models.BigIntegerField()
    code = models.SmallIntegerField()
    count = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "monitoring_code"
        verbose_name = "codes of ten minutes"


class IncidentRecord(models.Model):
    """Something that broke: who has it, where it is (`core/incidents.py`), and until when.

    An operators' record, not a projection: it cannot be made again from the log. There is one a code and scope that is
    not closed. `escalations` counts how often it was told to more people because nobody had answered.
    """

    code = models.TextField()
    scope = models.TextField()
    priority = models.SmallIntegerField()
    state = models.TextField(default="open")
    words = models.TextField()
    opened_at = models.DateTimeField()
    acknowledge_by = models.DateTimeField()
    resolve_by = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    assignee = models.TextField(default="")
    escalations = models.SmallIntegerField(default=0)
    postmortem = models.JSONField(default=dict)

    class Meta:
        """Names; what is open is few and found at once, what is closed by its cursor."""

        db_table = "monitoring_incident"
        verbose_name = "incident"
        constraints = (
            models.UniqueConstraint(fields=("code", "scope"), condition=~models.Q(state="closed"), name="incident_one"),
        )
        indexes = (
            models.Index(fields=("priority", "opened_at"), condition=~models.Q(state="closed"), name="incident_open"),
            models.Index(fields=("code", "-id"), name="incident_code"),
        )

    def __str__(self) -> str:
        """As people call it."""
        return f"incident {self.id}: {self.code} {self.scope}".rstrip()


class IncidentStepRecord(models.Model):
    """One line of an incident's time line: what (`kind`), by whom ("" = the system), in words."""

    incident = models.ForeignKey(IncidentRecord, models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    kind = models.TextField()
    actor = models.TextField(default="")
    words = models.TextField(default="")

    class Meta:
        """Names."""

        db_table = "monitoring_incident_step"
        verbose_name = "incident's step"
        indexes = (models.Index(fields=("incident", "id"), name="incident_step_line"),)


class AlertRecord(models.Model):
    """Something that somebody should know: one row for as long as it lasts, however often it is seen.

    `source` is who sees it and says when it is over: health, log, job, delivery, webhooks.
    """

    code = models.TextField()
    scope = models.TextField()
    source = models.TextField()
    priority = models.SmallIntegerField()
    is_open = models.BooleanField(default=True)
    words = models.TextField()
    count = models.BigIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    incident = models.ForeignKey(IncidentRecord, models.SET_NULL, null=True, related_name="alerts")

    class Meta:
        """Names."""

        db_table = "monitoring_alert"
        verbose_name = "alert"
        constraints = (
            models.UniqueConstraint(fields=("code", "scope"), condition=models.Q(is_open=True), name="alert_one"),
        )
        indexes = (
            models.Index(fields=("incident", "-id"), name="alert_incident"),
            models.Index(fields=("first_at",), condition=models.Q(priority__lte=1), name="alert_urgent"),
        )

    def __str__(self) -> str:
        """As people call it."""
        return f"{self.code} {self.scope}".rstrip()


class RouteRecord(models.Model):
    """A way to people: which client, and where to.

    `target` is no secret: addresses of e-mail, a chat's number, or the name under which the settings keep the address.
    """

    name = models.TextField(unique=True)
    client = models.TextField()
    target = models.TextField()
    per_hour = models.SmallIntegerField(default=30)
    is_on = models.BooleanField(default=True)

    class Meta:
        """Names."""

        db_table = "monitoring_route"
        verbose_name = "route"

    def __str__(self) -> str:
        """Its name."""
        return self.name


class RuleRecord(models.Model):
    """Which alerts go to a route (`core/routing.py` Rule); quiet hours are minutes of the day in UTC, null = none."""

    route = models.ForeignKey(RouteRecord, models.CASCADE, related_name="rules")
    codes = models.TextField(default="", blank=True)
    scope = models.TextField(default="", blank=True)
    priority = models.SmallIntegerField()
    level = models.SmallIntegerField(default=0)
    quiet_from = models.SmallIntegerField(null=True)
    quiet_to = models.SmallIntegerField(null=True)

    class Meta:
        """Names."""

        db_table = "monitoring_rule"
        verbose_name = "rule"


class DeliveryRecord(models.Model):
    """One message to one route, and what became of it: waiting, sent, failed (given up).

    `key` says what it is about, so that the same thing is told once to a route however often it is decided. `held` says
    why it waits although nothing has failed: quiet hours, or a full route.
    """

    route = models.ForeignKey(RouteRecord, models.CASCADE, related_name="deliveries")
    incident = models.ForeignKey(IncidentRecord, models.SET_NULL, null=True, related_name="deliveries")
    key = models.TextField(unique=True)
    what = models.TextField()
    priority = models.SmallIntegerField()
    message = models.JSONField()
    state = models.TextField(default="waiting")
    attempts = models.SmallIntegerField(default=0)
    held = models.TextField(default="")
    error = models.TextField(default="")
    made_at = models.DateTimeField()
    next_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        """Names."""

        db_table = "monitoring_delivery"
        verbose_name = "delivery"
        indexes = (
            models.Index(fields=("next_at",), condition=models.Q(state="waiting"), name="delivery_due"),
            models.Index(fields=("route", "done_at"), condition=models.Q(state="sent"), name="delivery_sent"),
            models.Index(fields=("incident", "-id"), name="delivery_incident"),
        )


class TaskRecord(models.Model):
    """A regular job's last run. `is_ok` null = it has never ended; `told` is what it found, in words."""

    name = models.TextField(primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_ok = models.BooleanField(null=True)
    told = models.TextField(default="")
    runs = models.BigIntegerField(default=0)
    failures = models.BigIntegerField(default=0)

    class Meta:
        """Names."""

        db_table = "monitoring_task"
        verbose_name = "regular task"


class PulseRecord(models.Model):
    """When a process last showed that it lives: worker, beat, and the checks of health and of the record."""

    name = models.TextField(primary_key=True)
    at = models.DateTimeField()
    told = models.JSONField(default=dict)

    class Meta:
        """Names."""

        db_table = "monitoring_pulse"
        verbose_name = "pulse"


class MarkRecord(models.Model):
    """How far a shard's control rows have been looked at for alerts."""

    shard = models.SmallIntegerField(primary_key=True)
    in_seq = models.BigIntegerField()

    class Meta:
        """Names."""

        db_table = "monitoring_mark"
        verbose_name = "mark"
