"""The calls of seem.proto: messages in, messages out, and everything between is `service`'s."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from seem_server.service import unary
from seem_server.service.conversation import Conversation
from seem_server.telemetry import calls, logs
from seem_server.transport.authentication import caller_of_call
from seem_wire import convert
from seem_wire.errors import InvalidValue
from seem_wire.tags import session_tag
from seem_wire.types import Failed, Opened
from seem_wire.v1.seem_pb2_grpc import SeemServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from concurrent.futures import Executor

    from seem_server.service.directory import Directory
    from seem_server.telemetry.calls import CallWatch
    from seem_wire.types import Command, Limits, Reply
    from seem_wire.v1 import seem_pb2 as pb

    Context = grpc.aio.ServicerContext[Any, Any]

Message = TypeVar("Message")
Read = TypeVar("Read")

ATTEMPT_KEY = "x-envoy-attempt-count"
LIGHT_BYTES = 16 * 1024
"""A message of up to so many bytes, and without masks, is read in well under a millisecond."""


class Servicer(SeemServicer):
    """Serves the sessions of a directory. `executor` reads messages that would stall the loop."""

    def __init__(
        self, directory: Directory, executor: Executor, *, now: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._limits = directory.model.capabilities.limits
        self._executor = executor
        self._now = now

    # The stubs know only handlers that yield; one that writes can end in mid-stream without leaks.
    async def Interact(  # type: ignore[override]  # noqa: N802  (as named in seem.proto)
        self, request_iterator: AsyncIterator[pb.Command], context: Context
    ) -> None:
        """A session over one stream."""
        watch = calls.watch.get()

        async def write(reply: Reply) -> None:
            watch.replied(reply)
            try:
                await context.write(convert.reply_to_proto(reply))
            except grpc.aio.InternalError as error:  # the client left in the midst of it
                raise asyncio.CancelledError from error

        conversation = Conversation(self._directory, now=self._now, caller=caller_of_call.get())
        try:
            await conversation.run(self._commands(request_iterator, watch), write)
        finally:
            logs.session_tag.set(session_tag(conversation.session_id))

    async def Execute(self, request: pb.Command, context: Context) -> pb.Reply:  # noqa: N802
        """One command of a session."""
        command = await self._command(request)
        calls.watch.get().commanded(command)
        if isinstance(command, Failed):
            raise command.to_error()
        logs.session_tag.set(session_tag(command.session_id))
        caller = caller_of_call.get()
        again = _is_retry(context.invocation_metadata() or ())
        reply = await unary.execute(
            self._directory, command, now_s=self._now(), caller=caller, again=again
        )
        if isinstance(reply, Opened):
            logs.session_tag.set(session_tag(reply.session_id))
        return convert.reply_to_proto(reply)

    async def Segment(self, request: pb.SegmentRequest, context: Context) -> pb.SegmentReply:  # noqa: ARG002, N802
        """An image without a session."""
        if _is_light(request, request.objects):
            command = convert.segment_from_proto(request, self._limits)
        else:
            command = await self._elsewhere(convert.segment_from_proto, request)
        calls.watch.get().commanded(command)
        caller = caller_of_call.get()
        reply = await unary.segment(self._directory, command, now_s=self._now(), caller=caller)
        return convert.segmented_to_proto(reply)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.ModelCard:  # noqa: ARG002, N802
        """What runs here."""
        self._directory.admit(caller_of_call.get())
        return convert.model_card_to_proto(self._directory.model)

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.SessionCard:  # noqa: ARG002, N802
        """What a session holds."""
        caller = caller_of_call.get()
        self._directory.admit(caller)
        session = await self._directory.reach(request.session_id, now_s=self._now(), caller=caller)
        return convert.session_card_to_proto(session.card)

    async def _commands(
        self, messages: AsyncIterator[pb.Command], watch: CallWatch
    ) -> AsyncIterator[Command | Failed]:
        try:
            async for message in messages:
                command = await self._command(message)
                watch.commanded(command)
                yield command
        except DecodeError:  # gRPC reads no further
            yield Failed.of(0, InvalidValue("What was sent is no Command."))

    async def _command(self, message: pb.Command) -> Command | Failed:
        if _is_light(message, message.prompt.objects):
            return convert.command_from_proto(message, self._limits)
        return await self._elsewhere(convert.command_from_proto, message)

    async def _elsewhere(self, read: Callable[[Message, Limits], Read], message: Message) -> Read:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, read, message, self._limits)


def _is_retry(metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    """Whether Envoy sends a call that it sent before, which it tells."""
    return dict(metadata).get(ATTEMPT_KEY, "1") != "1"


def _is_light(message: pb.Command | pb.SegmentRequest, objects: Iterable[pb.ObjectPrompt]) -> bool:
    if message.ByteSize() > LIGHT_BYTES:
        return False
    return not any(one.HasField("mask") or one.HasField("example") for one in objects)
