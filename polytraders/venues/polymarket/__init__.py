"""Polymarket: the market channel's messages, and the venue's own book hash."""
