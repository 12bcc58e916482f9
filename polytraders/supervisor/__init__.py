"""Starts and watches the processes of one installation: servers, loop, web, jobs. Knows nothing of trading."""
