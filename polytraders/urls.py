"""Pages and sockets by address."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path

from polytraders.api import routing as streams
from polytraders.console import admin, routing

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("polytraders.access.urls")),
    path("", include("polytraders.console.urls")),
    path("", include("polytraders.api.urls")),
    path("admin/", admin.site.urls),
]
handler400 = "polytraders.access.locking.unusable"
# Channels' stubs want a narrower type than Django's `path` gives back.
websocket_urlpatterns: list[Any] = routing.websocket_urlpatterns
stream_urlpatterns: list[Any] = streams.websocket_urlpatterns
