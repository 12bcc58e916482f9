"""The web process: HTTP to Django, WebSockets to consumers. It never loads the loop or numba."""

import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")

http = get_asgi_application()

# Consumers may import models, so they are looked for only when Django is up. The Celery app makes itself known.
from django.conf import settings  # noqa: E402

import polytraders.celery  # noqa: E402, F401
from polytraders.access import bounds  # noqa: E402
from polytraders.console.watchman import Watchman  # noqa: E402
from polytraders.urls import stream_urlpatterns, websocket_urlpatterns  # noqa: E402

if settings.PROCESS == "web":
    Watchman().start()

bounds.bound_server()

browsers: Any = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
# Programs send no origin: the stream asks for one itself where a session and not a key is shown.
programs: Any = AuthMiddlewareStack(URLRouter(stream_urlpatterns))
# Channels' stubs want a narrower type than Django's `re_path` gives back.
sockets: list[Any] = [re_path(r"^ws/v1/stream$", programs), re_path(r"", browsers)]
application = ProtocolTypeRouter({
    "http": bounds.Bounded(http),
    "websocket": URLRouter(sockets),
})  # fmt: skip
