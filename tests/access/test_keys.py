"""Keys of programs: kept as digests, good for a time, and never more than their owner."""

import datetime as dt

import pytest
from django.utils import timezone

from polytraders.access import keys, people
from polytraders.access.models import ApiKey, AuditRow
from polytraders.access.permissions import MATRIX, Permission, Role
from tests.access.people import person

pytestmark = pytest.mark.django_db


def refused(header: str) -> str:
    with pytest.raises(keys.KeyRefused) as caught:
        keys.principal(header)
    return caught.value.code


def test_a_key_has_256_random_bits_and_is_kept_as_a_digest_only() -> None:
    row, text = keys.make("bot", person("ada", Role.ADMIN), ["read"], 30)
    assert text.startswith(f"ptk_{row.prefix}_")
    assert len(text) == 4 + 8 + 1 + 43
    kept = ApiKey.objects.filter(pk=row.pk).values().get()
    assert all(
        text[13:] not in str(value) and text[13:].encode() not in bytes(str(value), "utf-8") for value in kept.values()
    )
    assert len(bytes(kept["digest"])) == 32


def test_who_sends_no_header_is_no_program_and_who_sends_a_key_is_its_prefix() -> None:
    row, text = keys.make("bot", person("ada", Role.ADMIN), ["read", "trade"], 30)
    assert keys.principal("") is None
    for scheme in ("Bearer", "bearer", "BEARER"):
        found = keys.principal(f"{scheme} {text}")
        assert found is not None
        assert (found.name, found.limit, found.owner.username) == (f"key:{row.prefix}",) * 2 + ("ada",)
    assert found is not None
    assert found.permissions == {
        Permission.VIEW, Permission.EXPORT, Permission.TRADE, Permission.STRATEGY, Permission.RUN,
    }  # fmt: skip
    assert found.may(Permission.TRADE)
    assert not found.may(Permission.KILL)


@pytest.mark.parametrize("scope", keys.SCOPES)
@pytest.mark.parametrize("role", Role)
def test_a_key_never_does_more_than_its_owner_may_now(scope: str, role: Role) -> None:
    _, text = keys.make("bot", person("bob", role), [scope], 30)
    found = keys.principal(f"Bearer {text}")
    assert found is not None
    assert found.permissions == {permission for permission in keys.SCOPES[scope] if role in MATRIX[permission]}


def test_a_role_that_is_taken_away_is_taken_from_the_key_at_once() -> None:
    owner = person("bob", Role.OPERATOR)
    _, text = keys.make("bot", owner, ["risk"], 30)
    before = keys.principal(f"Bearer {text}")
    people.set_roles(owner, frozenset({Role.READ_ONLY}), "ada")
    after = keys.principal(f"Bearer {text}")
    assert before is not None
    assert after is not None
    assert before.permissions == {Permission.VIEW, Permission.KILL, Permission.RELEASE}
    assert after.permissions == {Permission.VIEW}


def test_every_permission_is_in_some_scope() -> None:
    assert frozenset().union(*keys.SCOPES.values()) == set(Permission)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer ptk_abcdefgh_" + "A" * 43, "ptk_abcdefgh_" + "A" * 43,
     "Bearer ptk_ABCDEFGH_" + "A" * 43, "Bearer " + "A" * 10_000, "Bearer ptk_\u0663bcdefgh_" + "A" * 43, "\0"],
)  # fmt: skip
def test_what_is_no_key_is_refused(header: str) -> None:
    assert refused(header) == "GOV_KEY_UNKNOWN"


def test_a_key_with_one_sign_changed_is_unknown() -> None:
    _, text = keys.make("bot", person("ada", Role.ADMIN), ["read"], 30)
    assert refused(f"Bearer {text[:-2]}{'AB' if text[-2:] != 'AB' else 'BA'}") == "GOV_KEY_UNKNOWN"


def test_an_expired_a_revoked_and_an_ownerless_key_say_which_they_are() -> None:
    owner = person("ada", Role.ADMIN)
    row, text = keys.make("bot", owner, ["read"], 30)
    ApiKey.objects.update(expires_at=timezone.now())
    assert (refused(f"Bearer {text}"), ApiKey.objects.get().state) == ("GOV_KEY_EXPIRED", "expired")
    ApiKey.objects.update(expires_at=timezone.now() + dt.timedelta(days=1))
    people.revoke(row, "ada", "leaked")
    people.revoke(row, "ada", "again")
    assert (refused(f"Bearer {text}"), ApiKey.objects.get().state) == ("GOV_KEY_REVOKED", "revoked")
    assert [found.reason for found in AuditRow.objects.filter(act="key.revoke", target=f"key:{row.prefix}")] == [
        "leaked"
    ]
    _, second = keys.make("bot", owner, ["read"], 30)
    owner.is_active = False
    owner.save()
    assert refused(f"Bearer {second}") == "GOV_KEY_REVOKED"


def test_its_use_is_written_once_a_minute() -> None:
    _, text = keys.make("bot", person("ada", Role.ADMIN), ["read"], 30)
    keys.principal(f"Bearer {text}")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    keys.principal(f"Bearer {text}")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - dt.timedelta(seconds=61))
    keys.principal(f"Bearer {text}")
    last = ApiKey.objects.get().last_used_at
    assert last is not None
    assert last >= first


@pytest.mark.parametrize(
    ("scopes", "days"), [([], 1), (["all"], 1), (["read", "x"], 1), (["read"], 0), (["read"], 367)]
)
def test_a_key_that_cannot_be_meant_is_not_made(scopes: list[str], days: int) -> None:
    with pytest.raises(ValueError, match="a key"):
        keys.make("bot", person("ada", Role.ADMIN), scopes, days)
    assert not ApiKey.objects.exists()
