"""What a health check in a container asks: `python -m polytraders.supervisor.healthy http PORT PATH | file FILE`."""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TIMEOUT_S = 4.0
SERVER_FAILS = 500
HTTP_WORDS, FILE_WORDS = 3, 2


def healthy(words: Sequence[str]) -> bool:
    """Whether a port answers a GET with no failure of its own, or a file is there.

    Raises:
        ValueError: Neither is asked for.
    """
    if len(words) == FILE_WORDS and words[0] == "file":
        return Path(words[1]).exists()
    if len(words) != HTTP_WORDS or words[0] != "http":
        raise ValueError("ask for: http PORT PATH, or: file FILE")
    connection = HTTPConnection("127.0.0.1", int(words[1]), timeout=TIMEOUT_S)
    try:
        connection.request("GET", words[2], headers={"Host": "localhost"})
        return connection.getresponse().status < SERVER_FAILS
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if healthy(sys.argv[1:]) else 1)
