"""Addresses of access."""

from django.contrib.auth import views as auth
from django.urls import path

from polytraders.access import views

urlpatterns = [
    path(
        "login",
        auth.LoginView.as_view(template_name="access/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("setup/<str:token>", views.setup, name="setup"),
]
