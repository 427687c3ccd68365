"""Who calls: every call but a check of health must carry a token, or come with a known certificate.

    authorization: Bearer TOKEN

A token goes before the certificate: several people may share a machine.
"""

from __future__ import annotations

import inspect
import logging
import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from grpc_health.v1 import health

from seem_server.service.callers import ANONYMOUS
from seem_server.service.logins import (
    NO_TOKEN,
    UNKNOWN_CERTIFICATE,
    UNKNOWN_TOKEN,
    FailedLogins,
)
from seem_server.transport.status import abort

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
        self._failed = FailedLogins()

    @property
    def n_failed(self) -> Mapping[str, int]:
        """How many attempts failed, by reason; may be asked for from any thread."""
        return self._failed.n_failed

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
            reason = NO_TOKEN if token is None else UNKNOWN_TOKEN
            return _refusing(partial(self._refuse, reason))
        return _surrounded(handler, partial(_known, caller))

    async def _by_certificate(self, context: Context) -> Caller:
        caller = self._callers.with_certificate(_names_of(context.auth_context()))
        return caller or await self._refuse(UNKNOWN_CERTIFICATE, context)

    async def _refuse(self, reason: str, context: Context) -> NoReturn:
        await abort(context, self._failed.refusal(reason, context.peer(), now_s=time.monotonic()))


async def _known(caller: Caller, _: Context) -> Caller:
    return caller


def _surrounded(handler: Handler, caller_of: Callable[[Context], Awaitable[Caller]]) -> Handler:
    """The handler, for calls that have a caller."""
    behaviour: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )

    async def call(request: Any, context: Context) -> Any:
        caller_of_call.set(await caller_of(context))
        return await behaviour(request, context)

    async def generate(request: Any, context: Context) -> AsyncIterator[Any]:
        caller_of_call.set(await caller_of(context))
        async for message in behaviour(request, context):
            yield message

    surround: Any = _KINDS[handler.request_streaming, handler.response_streaming]
    surrounded: Handler = surround(
        generate if inspect.isasyncgenfunction(behaviour) else call,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return surrounded


def _refusing(refuse: Callable[[Context], Awaitable[NoReturn]]) -> Handler:
    """A handler that ends a call of any kind before anything of it is read."""

    async def end(_: Any, context: Context) -> None:
        await refuse(context)

    return grpc.stream_stream_rpc_method_handler(end)


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
