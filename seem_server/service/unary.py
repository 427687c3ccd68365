"""What is asked and answered in one call: a session's command, or an image without a session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from seem_server.service.callers import ANONYMOUS
from seem_wire.errors import Internal, NotOffered, Superseded
from seem_wire.types import (
    Attach,
    Everything,
    Failed,
    ImageSet,
    Masks,
    OpenImage,
    Prompt,
    Segmented,
    Segments,
    SetImage,
    SupersededBy,
)

if TYPE_CHECKING:
    from seem_server.service.callers import Caller
    from seem_server.service.directory import Directory
    from seem_wire.types import Command, Reply, Segment

    Kind = TypeVar("Kind")


async def execute(
    directory: Directory,
    command: Command,
    *,
    now_s: float,
    caller: Caller = ANONYMOUS,
    again: bool = False,
) -> Reply:
    """The reply to a command of the session that it names, or that it opens.

    A session that is opened so lives until it is released, or left alone for too long. A command
    that is said `again`, by a proxy whose first try came to nothing, is done once.

    Raises:
        SeemError: The command was refused, failed, or was superseded.
    """
    directory.admit(caller)
    if isinstance(command, Attach):
        raise NotOffered("A session is attached to in a stream; name it in each unary call.")
    if isinstance(command, OpenImage):
        session = await directory.open(now_s=now_s, caller=caller)
    else:
        session = await directory.reach(command.session_id, now_s=now_s, caller=caller)
    return _good(await session.ask(command, again=again))


async def segment(
    directory: Directory, request: Segment, *, now_s: float, caller: Caller = ANONYMOUS
) -> Segmented:
    """What an image was asked for, by a session that lives as long as the call.

    Raises:
        SeemError: The request was refused or failed.
    """
    directory.admit(caller)
    session = await directory.open(now_s=now_s, caller=caller, prewarm=False, passing=True)
    try:
        await session.ask(OpenImage(1))
        image = _expected(await session.ask(SetImage(2, request.image)), ImageSet)
        answer: Masks | Segments
        if request.question is None:
            answer = _expected(await session.ask(Prompt(3, request.objects)), Masks)
        else:
            answer = _expected(await session.ask(Everything(3, request.question)), Segments)
    finally:
        session.close()
    total_ms = image.timings.total_ms + answer.timings.total_ms
    return Segmented(
        content_hash=image.content_hash,
        size=image.size,
        objects=answer.objects if isinstance(answer, Masks) else answer.segments,
        timings=replace(answer.timings, total_ms=total_ms),
        cache_hit=answer.cache_hit,
        model_id=answer.model_id,
    )


def _good(reply: Reply) -> Reply:
    match reply:
        case Failed():
            raise reply.to_error()
        case SupersededBy():
            raise Superseded(f"Command {reply.by_seq} was served in place of {reply.seq}.")
        case _:
            return reply


def _expected(reply: Reply, kind: type[Kind]) -> Kind:
    good = _good(reply)
    if not isinstance(good, kind):
        raise Internal(f"A {type(good).__name__} came where a {kind.__name__} should.")
    return good
