"""Moments of the database as pages show them, and text of several lines."""

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

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
def coded(text: str) -> SafeString:
    """Our own prose, with what stands between backticks as code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in parts)
    )


@register.filter
def wordlist(text: str) -> list[str]:
    """Words of a constant of a template."""
    return text.split()
