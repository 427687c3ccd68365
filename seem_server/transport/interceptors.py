"""What surrounds every call: its id, its line in the log, who watches, what becomes of errors.

This is one of the edges where any exception at all is caught: it is logged with its cause, and the
client is told `INTERNAL`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import grpc

from seem_server.telemetry import calls
from seem_server.telemetry.logs import request_id, session_tag
from seem_server.transport.authentication import caller_of_call
from seem_server.transport.status import abort
from seem_wire.errors import Internal, SeemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seem_server.telemetry.calls import CallsObserver, CallWatch

    Handler = grpc.RpcMethodHandler[Any, Any] | None
    Behaviour = Callable[[Any, Any], Awaitable[Any]]

logger = logging.getLogger(__name__)

REQUEST_ID_KEY = "x-request-id"
"""Metadata with a call's id: taken from the client where it gives one, told back in any case."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Calls(grpc.aio.ServerInterceptor):
    """Gives each call of `service` an id, logs how it ended, and turns errors into statuses."""

    def __init__(
        self,
        service: str,
        observer: CallsObserver,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = f"/{service}/"
        self._observer = observer
        self._now = now

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The call's handler, surrounded."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(self._prefix):
            return handler
        name = method.removeprefix(self._prefix)
        behaviour: Any = handler.unary_unary or handler.stream_stream
        surround = (
            grpc.unary_unary_rpc_method_handler
            if handler.unary_unary
            else grpc.stream_stream_rpc_method_handler
        )
        return surround(
            self._surround(name, behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _surround(self, name: str, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            request_id.set(_id_of(context))
            session_tag.set("")
            watch = self._watch(name, context)
            started_s = self._now()
            code = "CLIENT_LEFT"  # unless it ends as one of the two sides says
            try:
                await context.send_initial_metadata(((REQUEST_ID_KEY, request_id.get()),))
                answer = await behaviour(request, context)
            except SeemError as error:
                code = error.code
                await abort(context, error)
            except grpc.aio.AbortError as end:  # it was refused before it came to be served
                code = getattr(end.__cause__, "code", code)
                raise
            except asyncio.CancelledError:
                raise  # the client went away, or the server goes down: nobody is left to tell
            except Exception:
                code = Internal.code
                logger.exception("a call broke", extra={"method": name})
                await abort(context, Internal("The call broke."))
            else:
                code = "OK"
                return answer
            finally:
                spent_ms = round((self._now() - started_s) * 1000, 1)
                facts = {"method": name, "code": code, "ms": spent_ms, **_caller()}
                logger.info("call", extra=facts)
                watch.ended(code)

        return call

    def _watch(self, name: str, context: grpc.aio.ServicerContext[Any, Any]) -> CallWatch:
        metadata: dict[str, str | bytes] = dict(context.invocation_metadata() or ())
        watch = self._observer.began(name, metadata)
        calls.watch.set(watch)
        return watch


def _caller() -> dict[str, str]:
    """Who called, where that is known."""
    caller = caller_of_call.get()
    return {"tenant": caller.tenant, "subject": caller.subject} if caller.tenant else {}


def _id_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _PLAIN_ID.fullmatch(value):
            return value
    return secrets.token_hex(8)
