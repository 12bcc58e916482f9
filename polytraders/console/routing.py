"""Addresses of the console's sockets, for `asgi.py`."""

from typing import Any

from django.urls import path

from polytraders.console.consumers import BoardConsumer

board: Any = BoardConsumer.as_asgi()
# Channels' stubs want a narrower type than Django's `path` gives back.
websocket_urlpatterns: list[Any] = [path("ws/board", board)]
