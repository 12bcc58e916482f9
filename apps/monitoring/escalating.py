"""What nobody answers is told to more people, once a level, however often and by how many it is asked."""

from django.db import transaction
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.core.incidents import Priority, State, level_due
from apps.monitoring.models import IncidentRecord


def escalate(*, now: alerting.Now = timezone.now) -> list[int]:
    """Bring every unanswered incident to the level that its time asks for; the incidents that rose."""
    risen = []
    at = now()
    waiting = IncidentRecord.objects.filter(state=State.OPEN, acknowledge_by__lte=at)
    for incident in waiting.order_by("priority", "id").values_list("id", flat=True):
        with transaction.atomic():
            row = IncidentRecord.objects.select_for_update().get(id=incident)
            due = level_due(Priority(row.priority), int(row.opened_at.timestamp()), int(at.timestamp()))
            if row.state != State.OPEN or due <= row.escalations:
                continue
            alert = row.alerts.select_related("incident").order_by("-id").first()
            for level in range(row.escalations + 1, due + 1):
                told = alerting.write(alert, alerting.ESCALATED, level, at) if alert is not None else 0
                words = f"nobody has answered: level {level}, told to {told} more route{'' if told == 1 else 's'}"
                alerting.step(row.id, "escalated", at, words)
            row.escalations = due
            row.save(update_fields=["escalations"])
            risen.append(row.id)
    return risen
