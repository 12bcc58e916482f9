"""Addresses of access."""

from django.contrib.auth import views as auth
from django.urls import path

from polytraders.access import views

urlpatterns = [
    path("login", views.Entrance.as_view(), name="login"),
    path("login/code", views.login_code, name="login-code"),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("setup/<str:token>", views.setup, name="setup"),
    path("step-up", views.step_up, name="step-up"),
]
