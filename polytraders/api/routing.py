"""Address of the stream, for `asgi.py`."""

from typing import Any

from django.urls import path

from polytraders.api.stream import StreamConsumer

stream: Any = StreamConsumer.as_asgi()
# Channels' stubs want a narrower type than Django's `path` gives back.
websocket_urlpatterns: list[Any] = [path("ws/v1/stream", stream)]
