"""Binance: spot trades and best quotes, as reference prices. Nothing is traded there."""
