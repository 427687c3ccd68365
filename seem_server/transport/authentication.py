"""Who calls: every call but for health must carry a token, or come with a known certificate.

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

    Handler = grpc.RpcMethodHandler[Any, Any] | None
    Context = grpc.aio.ServicerContext[Any, Any]

logger = logging.getLogger(__name__)

caller_of_call: ContextVar[Caller] = ContextVar("caller_of_call", default=ANONYMOUS)
"""Who made the call that is being served."""

TOKEN_KEY = "authorization"  # noqa: S105  (where it lies, not what it is)
"""Metadata with a call's token."""

_SCHEME = "bearer"
_HEALTH = f"/{health.SERVICE_NAME}/"

_KINDS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Authentication(grpc.aio.ServerInterceptor):
    """Lets only known callers through, whatever they call; health alone is open to all."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def renew(self, callers: Callers) -> None:
        """Lets in these from now on; calls that have begun go on."""
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The call's handler, behind the question who calls."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_HEALTH):
            return handler
        behaviour: Any = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )
        surround: Any = _KINDS[handler.request_streaming, handler.response_streaming]
        guarded: Handler = surround(
            self._guarded(behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return guarded

    def _guarded(self, behaviour: Any) -> Any:
        async def call(request: Any, context: Context) -> Any:
            self._let_in(context)
            return await behaviour(request, context)

        async def generate(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                self._let_in(context)
            except Unauthenticated as error:  # no other interceptor surrounds what yields
                await abort(context, error)
            async for message in behaviour(request, context):
                yield message

        return generate if inspect.isasyncgenfunction(behaviour) else call

    def _let_in(self, context: Context) -> None:
        token = _token_of(context)
        if token is None:
            caller = self._callers.with_certificate(_names_of(context.auth_context()))
            if caller is None:
                raise Unauthenticated("The call has no token.")
        else:
            caller = self._callers.with_token(token)
            if caller is None:
                raise Unauthenticated("The call's token is none that is known here.")
        caller_of_call.set(caller)


def _token_of(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == TOKEN_KEY and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == _SCHEME else ""
    return None


def _names_of(facts: Mapping[str, Iterable[bytes]]) -> list[str]:
    """What a client's verified certificate calls him: its alternative names, or its common name."""
    names = facts.get("x509_subject_alternative_name") or facts.get("x509_common_name") or ()
    return [name.decode(errors="replace") for name in names]
