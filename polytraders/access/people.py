"""People and their roles: who is let in, as what, and who no longer. Each act is in the audit with it."""

from collections.abc import Iterable

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from polytraders.access import audit, entering
from polytraders.access.models import ApiKey, SetupLink
from polytraders.access.permissions import Role, roles_of


class Kept(Exception):  # noqa: N818
    """It was not done, because nobody could come in and mend it afterwards."""


def give(user: User, roles: Iterable[Role]) -> None:
    """Put somebody into the groups of these roles and out of the others."""
    user.groups.set([Group.objects.get_or_create(name=role.value)[0] for role in roles])
    if user.is_superuser:
        # It would be an Admin whatever its groups are.
        user.is_superuser = user.is_staff = False
        user.save(update_fields=["is_superuser", "is_staff"])
    user.__dict__.pop("_roles", None)


def set_roles(
    user: User, roles: frozenset[Role], actor: str, reason: str = "", request: HttpRequest | None = None
) -> None:
    """Change what somebody is.

    Raises:
        Kept: It would leave nobody who is an Admin.
    """
    with transaction.atomic():
        admins = _admins()
        before = roles_of(user)
        if Role.ADMIN in before and Role.ADMIN not in roles and admins <= {user.pk}:
            raise Kept("somebody has to stay Admin: give another person the role first")
        give(user, roles)
        audit.write(
            actor, "user.roles", user.get_username(), reason=reason, before={"roles": sorted(before)},
            after={"roles": sorted(roles)}, request=request,
        )  # fmt: skip


def let_in(user: User, is_active: bool, actor: str, reason: str = "", request: HttpRequest | None = None) -> None:
    """Let somebody in again, or no longer: then their sessions end and their keys are taken back.

    Raises:
        Kept: It would leave nobody who is an Admin.
    """
    with transaction.atomic():
        if not is_active and _admins() <= {user.pk}:
            raise Kept("somebody has to stay Admin: give another person the role first")
        before = user.is_active
        user.is_active = is_active
        user.save(update_fields=["is_active"])
        after: dict[str, object] = {"active": is_active}
        if not is_active:
            after["sessions_ended"] = entering.end_visits(user)
            after["keys_revoked"] = revoke_all(user)
        act = "user.enable" if is_active else "user.disable"
        audit.write(
            actor, act, user.get_username(), reason=reason, before={"active": before}, after=after, request=request
        )


def invite(roles: frozenset[Role], actor: str, request: HttpRequest | None = None) -> str:
    """A one-time link with which somebody comes in; returns its token, which is shown once."""
    with transaction.atomic():
        made = SetupLink.invite(roles, actor)
        audit.write(actor, "user.invite", "one-time link", after={"roles": sorted(roles)}, request=request)
    return made


def reset_password(user: User, actor: str, reason: str = "", request: HttpRequest | None = None) -> str:
    """A one-time link with which somebody chooses a new password; the old one is good until then."""
    with transaction.atomic():
        made = SetupLink.reset(user, actor)
        audit.write(actor, "user.reset", user.get_username(), reason=reason, request=request)
    return made


def unlock(user: User, actor: str, reason: str = "") -> int:
    """Forget somebody's wrong passwords, so that a lock ends; returns how many rows there were."""
    with transaction.atomic():
        ended, _ = AccessAttempt.objects.filter(username=user.get_username()).delete()
        audit.write(actor, "session.unlock", user.get_username(), reason=reason, before={"attempts": ended})
    return int(ended)


def revoke(key: ApiKey, actor: str, reason: str = "", request: HttpRequest | None = None) -> None:
    """Take a key back; one that is taken back already stays as it is."""
    with transaction.atomic():
        held = ApiKey.objects.select_for_update().get(pk=key.pk)
        if held.revoked_at is None:
            held.revoked_at = timezone.now()
            held.save(update_fields=["revoked_at"])
            audit.write(
                actor, "key.revoke", f"key:{held.prefix}", reason=reason, before={"state": "active"},
                after={"state": "revoked"}, request=request,
            )  # fmt: skip


def revoke_all(user: User) -> int:
    """Take all of somebody's keys back; returns how many."""
    return ApiKey.objects.filter(owner=user, revoked_at=None).update(revoked_at=timezone.now())


def _admins() -> set[int]:
    """Who is an Admin and may come in; locked, so that of two Admins who take the role from each other one stays."""
    active = User.objects.select_for_update().filter(is_active=True)
    in_group = active.filter(groups__name=Role.ADMIN.value).values_list("pk", flat=True)
    return set(in_group) | set(active.filter(is_superuser=True).values_list("pk", flat=True))
