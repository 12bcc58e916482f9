"""Refusals of the interface: problem+json with a reason code, so that a program need not read prose."""

from http import HTTPStatus

from polytraders.access.problems import TYPE, problem

__all__ = ["TYPE", "Refused", "problem"]


class Refused(Exception):  # noqa: N818
    """A request that is answered with a problem."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        """What went wrong; `detail` is told to the caller."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
