"""Who may come in: the one-time set-up link, log-in and log-out, and the headers of every page."""
