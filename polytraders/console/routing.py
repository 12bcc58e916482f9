"""Addresses of the console's sockets, for `asgi.py`."""

from django.urls import path

from polytraders.console.consumers import BoardConsumer

websocket_urlpatterns = [path("ws/board", BoardConsumer.as_asgi())]
