"""The set-up page: the holder of the one-time link becomes the first Admin."""

from django.contrib.auth import get_user_model, login
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from polytraders.access.models import SetupLink

ADMIN_GROUP = "Admin"


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first user. A link that is spent, expired or unknown says so with 404 and does nothing."""
    if not SetupLink.is_good(token):
        return render(request, "access/setup_over.html", status=404)
    form: BaseUserCreationForm[User] = BaseUserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            # A form with a mistake leaves the link as it was; two forms at the same time make one user.
            if not SetupLink.spend(token):
                return render(request, "access/setup_over.html", status=404)
            user = form.save(commit=False)
            user.is_staff = user.is_superuser = True
            user.save()
            user.groups.add(Group.objects.get_or_create(name=ADMIN_GROUP)[0])
        login(request, user)
        return redirect("/")
    return render(request, "access/setup.html", {"form": form})


def is_set_up() -> bool:
    """Whether somebody can come in already."""
    return bool(get_user_model().objects.filter(is_active=True).exists())
