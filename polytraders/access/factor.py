"""The app that gives codes: enrolled by its owner, with ten recovery codes for the day it is lost."""

import secrets
from base64 import b32encode
from collections.abc import Sequence
from typing import Final

import segno
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from polytraders.access import audit, stepup

CODES: Final = 10
CODE_BYTES: Final = 10
NAME: Final = "app"
DIGITS: Final = 6


def begun(user: User) -> TOTPDevice:
    """The device that is being enrolled; made when there is none."""
    found = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return found or TOTPDevice.objects.create(user=user, confirmed=False, name=NAME)


def secret(device: TOTPDevice) -> str:
    """The secret as apps take it by hand, in groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def picture(device: TOTPDevice) -> SafeString:
    """The secret as a QR code, inline SVG."""
    drawn = segno.make(device.config_url, error="m")
    # Without a size of its own it is scaled by the page; with one it would be cut.
    made = drawn.svg_inline(omitsize=True, border=4, dark="#000", light="#fff", title="The secret, for the app to see")
    return mark_safe(made)  # noqa: S308 - made of squares by segno


def confirm(user: User, code: str, request: HttpRequest | None = None) -> list[str] | None:
    """Enrol the device when the code is its own: an earlier one is forgotten.

    Returns:
        New recovery codes, to be shown once; None = the code was wrong.
    """
    given = code.replace(" ", "")
    if not (given.isascii() and given.isdigit() and len(given) == DIGITS):
        return None
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or not device.verify_token(given):
            return None
        replaced, _ = TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        device.confirmed = True
        device.save()
        codes = _new_codes(user)
        audit.write(
            user.get_username(), "factor.enrol", user.get_username(), before={"enrolled": replaced > 0},
            after={"enrolled": True, "recovery_codes": len(codes)}, request=request,
        )  # fmt: skip
    return codes


def renew_codes(user: User, request: HttpRequest | None = None) -> list[str]:
    """New recovery codes; the old ones end."""
    with transaction.atomic():
        left = codes_left(user)
        codes = _new_codes(user)
        audit.write(
            user.get_username(), "factor.codes", user.get_username(), before={"left": left},
            after={"left": len(codes)}, request=request,
        )  # fmt: skip
    return codes


def remove(user: User, actor: str, reason: str = "", request: HttpRequest | None = None) -> None:
    """Forget a person's app and codes: by the person, by an Admin, or from the terminal."""
    with transaction.atomic():
        had = stepup.has_factor(user)
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        audit.write(
            actor, "factor.remove", user.get_username(), reason=reason, before={"enrolled": had},
            after={"enrolled": False}, request=request,
        )  # fmt: skip


def codes_left(user: User) -> int:
    """How many recovery codes there still are."""
    return int(StaticToken.objects.filter(device__user=user).count())


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery")
    codes = [b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower() for _ in range(CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=stepup.recovery_digest(code)) for code in codes)
    return spelled(codes)


def spelled(codes: Sequence[str]) -> list[str]:
    """In groups of four, as they are read and typed."""
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]
