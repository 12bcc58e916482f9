"""The web process: HTTP to Django, WebSockets to consumers. It never loads the loop or numba."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")

http = get_asgi_application()

# Consumers may import models, so they are looked for only when Django is up. The Celery app makes itself known.
import polytraders.celery  # noqa: E402, F401
from polytraders.access import bounds  # noqa: E402
from polytraders.urls import websocket_urlpatterns  # noqa: E402

bounds.bound_server()

application = ProtocolTypeRouter({
    "http": bounds.Bounded(http),
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
})  # fmt: skip
