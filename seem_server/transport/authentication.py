"""Who calls: every call but a check of health must carry a token, or come with a known certificate.

    authorization: Bearer TOKEN

A token goes before the certificate: several people may share a machine.
"""

from __future__ import annotations

import inspect
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health

from seem_server.service.callers import ANONYMOUS
from seem_server.transport.status import abort
from seem_wire.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from seem_server.service.callers import Caller, Callers

    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]

logger = logging.getLogger(__name__)

caller_of_call: ContextVar[Caller] = ContextVar("caller_of_call", default=ANONYMOUS)
"""Who made the call that is being served."""

TOKEN_KEY = "authorization"  # noqa: S105  (where it lies, not what it is)
"""Metadata with a call's token."""

_SCHEME = "bearer"
_HEALTH = f"/{health.SERVICE_NAME}/Check"
"""Open to all: it is over at once. A stranger who watched would hold one of `max_calls`."""

_KINDS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Authentication(grpc.aio.ServerInterceptor):
    """Lets only known callers through, whatever they call; health alone may be checked by all.

    `certificates`: clients' certificates were verified, and may say who calls.
    """

    def __init__(self, callers: Callers, *, certificates: bool) -> None:
        self._callers = callers
        self._certificates = certificates

    def renew(self, callers: Callers) -> None:
        """Lets in these from now on; calls that have begun go on."""
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The call's handler, behind the question who calls.

        Of a call without a token, or with a wrong one, not even the message is read.
        """
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method == _HEALTH:
            return handler
        token = _token_of(handler_call_details.invocation_metadata or ())
        if token is None and self._certificates:
            return _surrounded(handler, self._by_certificate)
        caller = None if token is None else self._callers.with_token(token)
        if caller is None:
            missing = token is None
            problem = "has no token" if missing else "has a token that is not known here"
            return _refusing(Unauthenticated(f"The call {problem}."))
        return _surrounded(handler, lambda _: caller)

    def _by_certificate(self, context: Context) -> Caller | None:
        return self._callers.with_certificate(_names_of(context.auth_context()))


def _surrounded(handler: Handler, caller_of: Callable[[Context], Caller | None]) -> Handler:
    """The handler, for calls that have a caller."""
    behaviour: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )

    async def let_in(context: Context) -> None:
        caller = caller_of(context)
        if caller is None:
            await abort(context, Unauthenticated("No line names the call's certificate."))
        else:
            caller_of_call.set(caller)

    async def call(request: Any, context: Context) -> Any:
        await let_in(context)
        return await behaviour(request, context)

    async def generate(request: Any, context: Context) -> AsyncIterator[Any]:
        await let_in(context)
        async for message in behaviour(request, context):
            yield message

    surround: Any = _KINDS[handler.request_streaming, handler.response_streaming]
    surrounded: Handler = surround(
        generate if inspect.isasyncgenfunction(behaviour) else call,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return surrounded


def _refusing(error: Unauthenticated) -> Handler:
    """A handler that ends a call of any kind before anything of it is read."""

    async def refuse(_: Any, context: Context) -> None:
        await abort(context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _token_of(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    for key, value in metadata:
        if key == TOKEN_KEY and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == _SCHEME else ""
    return None


def _names_of(facts: Mapping[str, Iterable[bytes]]) -> list[str]:
    """What a client's verified certificate calls him: its alternative names, or its common name."""
    names = facts.get("x509_subject_alternative_name") or facts.get("x509_common_name") or ()
    return [name.decode(errors="replace") for name in names]
