"""The pages in front of the console: log-in, its code, one-time links, and the code that an act asks for again."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from polytraders.access import audit, entering, locking, people, stepup
from polytraders.access.models import SetupLink
from polytraders.access.permissions import Permission, Role, needs


class Credentials(AuthenticationForm):
    """Name and password; Django's own form lets names of any length through to whoever counts the wrong ones."""

    def clean_username(self) -> str:
        """A name that nobody can have is wrong, and is written down nowhere."""
        name: str = self.cleaned_data["username"]
        if len(name) > locking.NAME_MAX:
            raise self.get_invalid_login_error()
        return name


class Entrance(LoginView):
    """The log-in: the password, and the code on the next page where an app is enrolled."""

    template_name = "access/login.html"
    authentication_form = Credentials
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The password was right."""
        return begin(self.request, form.get_user(), self.get_success_url())


def begin(request: HttpRequest, user: Any, then: str) -> HttpResponse:
    """Let somebody in who has proved to know the password, or ask for the code first."""
    if stepup.has_factor(user):
        entering.wait_for_code(request, user, then)
        return redirect("login-code")
    entering.enter(request, user, "session.begin")
    return redirect(then)


@never_cache
@sensitive_post_parameters(stepup.FIELD)
@require_http_methods(["GET", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """The second page of the log-in."""
    waiting = entering.pending(request)
    if waiting is None:
        return redirect("login")
    username = waiting.user.get_username()
    wrong = False
    if request.method == "POST":
        if locking.is_locked(request, username):
            return locking.locked(request, None, {"username": username})
        if stepup.check(waiting.user, request.POST.get(stepup.FIELD, "")):
            entering.enter(request, waiting.user, "session.begin", with_code=True)
            return redirect(stepup.safe(request, waiting.then))
        locking.failed(request, username)
        wrong = True
    return render(request, "access/code.html", {"wrong": wrong, "title": "Log in"})


@never_cache
@sensitive_post_parameters(stepup.FIELD)
@require_http_methods(["GET", "POST"])
@needs(Permission.VIEW)
def step_up(request: HttpRequest) -> HttpResponseBase:
    """Asks for a code before an act that needs one just given."""
    then = stepup.safe(request, request.POST.get("next") or request.GET.get("next", ""))
    if not stepup.has_factor(request.user):
        return render(request, "access/no_factor.html", {"next": then})
    username = request.user.get_username()
    wrong = False
    if request.method == "POST":
        if locking.is_locked(request, username):
            return locking.locked(request, None, {"username": username})
        with transaction.atomic():
            right = stepup.check(request.user, request.POST.get(stepup.FIELD, ""))
            if right:
                stepup.mark(request)
                audit.write(username, "session.step-up", username, request=request)
        if right:
            return redirect(then)
        locking.failed(request, username)
        wrong = True
    return render(request, "access/code.html", {"wrong": wrong, "title": "Confirm", "next": then, "again": True})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make a person, or a new password. A link that is spent, expired or unknown says so with 404 and does nothing."""
    link = SetupLink.good(token)
    if link is None:
        return render(request, "access/setup_over.html", status=404)
    form: BaseUserCreationForm[User] | SetPasswordForm[User]
    form = SetPasswordForm(link.user, request.POST or None) if link.user else BaseUserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            # A form with a mistake leaves the link as it was; two forms at the same time make one user.
            if not SetupLink.spend(token):
                return render(request, "access/setup_over.html", status=404)
            user = _accepted(request, link, form)
        if link.user is None:
            entering.enter(request, user, "session.begin")
            return redirect("/")
        return begin(request, user, "/")
    return render(request, "access/setup.html", {"form": form, "link": link, "roles": link.roles.split(",")})


def _accepted(
    request: HttpRequest, link: SetupLink, form: "BaseUserCreationForm[User] | SetPasswordForm[User]"
) -> User:
    """Do what the link is for, with its audit row."""
    user: User = form.save()
    name = user.get_username()
    if link.user is not None:
        audit.write(name, "user.password", name, reason=f"link made by {link.made_by}", request=request)
        return user
    roles = [Role(name) for name in link.roles.split(",") if name] or [Role.ADMIN]
    people.give(user, roles)
    made_by = link.made_by or "the installation"
    audit.write(name, "user.create", name, reason=f"link made by {made_by}", after={"roles": roles}, request=request)
    return user


def is_set_up() -> bool:
    """Whether somebody can come in already."""
    return bool(get_user_model().objects.filter(is_active=True).exists())
