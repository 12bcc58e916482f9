"""One's own account: the app that gives codes, sessions, and the password."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from polytraders.access import audit, entering, factor, locking, stepup
from polytraders.access.models import Visit
from polytraders.access.permissions import Permission, needs, roles_of
from polytraders.console.frame import show


def _me(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User), "`needs` lets nobody in who is not logged in"  # noqa: S101 - for the reader of types
    return user


@require_safe
@never_cache
@needs(Permission.VIEW)
def account(request: HttpRequest) -> HttpResponseBase:
    """What I am, how I prove it, and where I am logged in."""
    me = _me(request)
    context = {
        "roles": sorted(roles_of(me)),
        "enrolled": stepup.has_factor(me),
        "codes_left": factor.codes_left(me),
        "visits": Visit.objects.filter(user=me).order_by("-id")[:20],
        "session_key": request.session.session_key,
    }
    return show(request, "console/account.html", "account", context)


@never_cache
@sensitive_post_parameters("password", stepup.FIELD)
@require_http_methods(["GET", "POST"])
@needs(Permission.VIEW)
def enrol(request: HttpRequest) -> HttpResponseBase:
    """Enrol an app: its secret as a picture and in letters, then the password and a first code."""
    me, enrolled = _me(request), stepup.has_factor(request.user)
    if enrolled and not stepup.stepped_up(request):
        # Whoever sits at a forgotten screen must not put an app of theirs in the place of mine.
        return stepup.led(request)
    wrong = ""
    if request.method == "POST":
        if locking.is_locked(request, me.get_username()):
            return locking.locked(request, None, {"username": me.get_username()})
        if not me.check_password(request.POST.get("password", "")):
            locking.failed(request, me.get_username())
            wrong = "This is not your password."
        else:
            codes = factor.confirm(me, request.POST.get(stepup.FIELD, ""), request)
            if codes is not None:
                stepup.mark(request)
                then = stepup.safe(request, request.POST.get("next", ""), "")
                return show(request, "console/codes.html", "account", {"codes": codes, "next": then})
            wrong = "This is not the code the app shows now. Is the phone's clock right?"
    device = factor.begun(me)
    context = {
        "picture": factor.picture(device),
        "secret": factor.secret(device),
        "enrolled": enrolled,
        "wrong": wrong,
        "next": stepup.safe(request, request.POST.get("next") or request.GET.get("next", ""), ""),
    }
    return show(request, "console/factor.html", "account", context)


@require_POST
@never_cache
@needs(Permission.VIEW)
@stepup.needs_step_up
def renew_codes(request: HttpRequest) -> HttpResponseBase:
    """New recovery codes, shown once."""
    return show(request, "console/codes.html", "account", {"codes": factor.renew_codes(_me(request), request)})


@require_POST
@needs(Permission.VIEW)
@stepup.needs_step_up
def remove_factor(request: HttpRequest) -> HttpResponseBase:
    """Forget my app."""
    me = _me(request)
    factor.remove(me, me.get_username(), request=request)
    stepup.forget(request)
    messages.success(request, "Your app and its recovery codes are forgotten. What needs a code is closed to you now.")
    return redirect("account")


@require_POST
@needs(Permission.VIEW)
def end_sessions(request: HttpRequest) -> HttpResponseBase:
    """Log me out everywhere else."""
    me = _me(request)
    with transaction.atomic():
        ended = entering.end_visits(me, but=request.session.session_key or "")
        audit.write(me.get_username(), "session.end", me.get_username(), after={"ended": ended}, request=request)
    messages.success(request, f"{ended} other session{'' if ended == 1 else 's'} ended.")
    return redirect("account")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@needs(Permission.VIEW)
def password(request: HttpRequest) -> HttpResponseBase:
    """A new password; every other session ends with the old one."""
    me = _me(request)
    form = PasswordChangeForm(me, request.POST or None)
    if request.method == "POST":
        if locking.is_locked(request, me.get_username()):
            return locking.locked(request, None, {"username": me.get_username()})
        if form.is_valid():
            with transaction.atomic():
                form.save()
                update_session_auth_hash(request, me)
                entering.follow(request, me)
                ended = entering.end_visits(me, but=request.session.session_key or "")
                audit.write(
                    me.get_username(), "user.password", me.get_username(), after={"sessions_ended": ended},
                    request=request,
                )  # fmt: skip
            messages.success(request, "Your password is changed; your other sessions have ended.")
            return redirect("account")
        if "old_password" in form.errors:
            locking.failed(request, me.get_username())
    return show(request, "console/password.html", "account", {"form": form})
