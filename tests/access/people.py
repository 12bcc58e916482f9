"""People as tests want them: with roles, an app that gives codes, and browsers they are logged in with."""

import time

from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from polytraders.access.permissions import MARK, Role

PASSWORD = "correct-horse-battery"


def person(name: str, *roles: Role) -> User:
    """Somebody with these roles and `PASSWORD`."""
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.set([Group.objects.get_or_create(name=role.value)[0] for role in roles])
    return user


def app(user: User) -> TOTPDevice:
    """An enrolled app."""
    return TOTPDevice.objects.create(user=user, confirmed=True)


def code(device: TOTPDevice, steps: int = 0) -> str:
    """What the app shows now, or `steps` times 30 s later. A code is good once, one step early or late."""
    device.refresh_from_db()
    return f"{totp(device.bin_key, t0=-steps * device.step):06d}"


def stepped_up(client: Client) -> Client:
    """The same browser, in which a code was given just now."""
    session = client.session
    session[MARK] = time.time()
    session.save()
    return client
