"""What a tool's request is answered with where it cannot be served: a sentence for a person."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from seem_wire.errors import Fault, Internal, NotFound, SeemError, SessionExpired

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)

LONGEST_REASON = 1000
"""Clients take no status line of any length, and part of a sentence may be what a request said."""


def refusal(error: SeemError) -> web.Response:
    """The response: the sentence is its reason, which is what many tools show, and in its body."""
    body = {"code": error.code, "message": error.message, "hint": error.hint}
    return web.json_response({"error": body}, status=_status(error), reason=_one_line(str(error)))


@web.middleware
async def refuse_in_a_sentence(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An edge: whatever is raised behind it becomes a refusal."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except SeemError as error:
        path = request.rel_url.raw_path
        logger.warning("%s was refused, %s: %s", path, error.code, _one_line(str(error)))
        return refusal(error)
    except Exception:
        logger.exception("%s broke", request.path)
        return refusal(Internal("The adapter broke."))


def _status(error: SeemError) -> HTTPStatus:
    if isinstance(error, SessionExpired):
        return HTTPStatus.GONE
    if isinstance(error, NotFound):
        return HTTPStatus.NOT_FOUND
    return {
        Fault.CALLER: HTTPStatus.BAD_REQUEST,
        Fault.CAPACITY: HTTPStatus.SERVICE_UNAVAILABLE,
        Fault.SERVER: HTTPStatus.INTERNAL_SERVER_ERROR,
    }[error.fault]


def _one_line(sentence: str) -> str:
    """As an HTTP reason may be: printable ASCII, and no more than fits in a status line."""
    text = " ".join(sentence.split()).encode("ascii", "replace").decode()
    return "".join(one if one.isprintable() else "?" for one in text[:LONGEST_REASON])
