"""Answers to one file or to several that are written out already."""

from collections.abc import Sequence

from fastapi import Request, Response

from service.api.problems import problem_of
from service.api.request_id import request_id_of

Result = bytes | Exception


def respond(results: Sequence[Result], media_type: str, request: Request) -> Response:
    """Answer with the result, or with one for each of several files."""
    if len(results) == 1:
        content = results[0]
        if isinstance(content, Exception):
            raise content
    else:
        # whatever befell one file, the others have their answers
        written = b",".join(_written(result, request) for result in results)
        content = b'{"results":[' + written + b"]}"
    return Response(content, media_type=media_type, headers={"vary": "accept"})


def _written(result: Result, request: Request) -> bytes:
    if not isinstance(result, Exception):
        return result
    problem = problem_of(result, request_id_of(request.scope))
    return problem.model_dump_json(exclude_none=True).encode()
