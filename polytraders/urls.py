"""Pages by address. This version is driven from the command line and has none."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
