"""Each error's gRPC status, and how a failed call carries the error itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from seem_wire.convert import ERROR_METADATA_KEY, error_to_bytes
from seem_wire.errors import GRPC_STATUS

if TYPE_CHECKING:
    from seem_wire.errors import SeemError

STATUS = {code: grpc.StatusCode[name] for code, name in GRPC_STATUS.items()}
"""The status of each code."""


def status_of(error: SeemError) -> grpc.StatusCode:
    """The status that a call ends with because of `error`."""
    return STATUS.get(error.code, grpc.StatusCode.INTERNAL)


def trailer_of(error: SeemError) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata from which a client makes the same error again."""
    return ((ERROR_METADATA_KEY, error_to_bytes(error)),)


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: SeemError) -> NoReturn:
    """Ends a call because of `error`; raises what gRPC ends it by, with the error as its cause."""
    try:
        await context.abort(status_of(error), str(error), trailer_of(error))
    except grpc.aio.AbortError as end:
        raise end from error
