"""What a server said, in words."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

_LONGEST = 500


@dataclass(frozen=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def __str__(self) -> str:
        """The status and, of a problem (RFC 9457), its detail.

        >>> str(Answer(404, b'{"detail": "There is no model here."}'))
        '404: There is no model here.'
        >>> str(Answer(502, b"<html>"))
        '502: Bad Gateway'
        """
        return f"{self.status}: {self._detail() or self._phrase()}"

    def _detail(self) -> str:
        try:
            problem: Any = orjson.loads(self.body)
            return str(problem["detail"])[:_LONGEST]
        except (ValueError, KeyError, TypeError, IndexError):
            return ""

    def _phrase(self) -> str:
        return (
            HTTPStatus(self.status).phrase if self.status in list(HTTPStatus) else "no reason given"
        )
