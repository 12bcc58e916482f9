"""Moments of the database as pages show them, and text of several lines."""

import datetime as dt

from django import template
from django.utils import timezone

from polytraders.console.templatetags.told import age

register = template.Library()


@register.filter
def since(moment: dt.datetime | None) -> str:
    """How long ago, in one unit; a dash for never."""
    if moment is None:
        return "\N{EN DASH}"
    return age(max(0, int((timezone.now() - moment).total_seconds() * 1e9)))


@register.filter
def inline(text: str) -> str:
    """Somebody's whole text, with nothing in it that turns the page round."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


@register.filter
def wordlist(text: str) -> list[str]:
    """Words of a constant of a template."""
    return text.split()
