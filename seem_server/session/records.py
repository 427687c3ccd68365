"""A session's log, entry by entry: events and the replies that they made, as bytes and back.

The state is a fold over its events, so that replaying them gives the same state anywhere. What the
engine answered is kept as far as the rules look at it: which rounds were really used, and the box
and the number of hypotheses of each mask. The replies are kept whole, to be sent again to a client
that lost them; only answers to questions are not, as they can be asked again.

A record is one line of JSON. Commands and replies in it are messages of seem.proto in base 64.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from seem_server.engine.work import (
    Decode,
    Everything,
    Follow,
    Followed,
    MasksReady,
    SegmentsReady,
)
from seem_server.session.events import FrameRead, ImageRead, Withdraw
from seem_server.session.machine import step
from seem_server.session.state import Phase, State
from seem_wire.convert import (
    command_from_proto,
    command_to_proto,
    reply_from_proto,
    reply_to_proto,
)
from seem_wire.errors import Internal, SeemError
from seem_wire.prompts import Box, ExamplePrompt, MaskPrompt
from seem_wire.rle import Rle
from seem_wire.types import (
    Example,
    Failed,
    Frame,
    Hypothesis,
    ImageKey,
    Limits,
    Masks,
    ObjectMask,
    Prompt,
    PromptedObject,
    Segments,
    SetImage,
    SupersededBy,
    Timings,
)
from seem_wire.v1 import seem_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seem_server.session.events import Event
    from seem_wire.types import ModelCard, Reply

    Fields = dict[str, Any]
    Work = Decode | Everything | Follow

VERSION = 1
MAX_REPLIES = 256
"""How many of its newest replies a session can send again."""

_NO_PIXEL = Rle(1, 1, "1")
_NO_TIMES = Timings()
_UNBOUNDED = Limits(*[1 << 40] * 7)


@dataclass(frozen=True, slots=True)
class Restored:
    """A session as its log tells it.

    Attributes:
        works: What the engine has not answered yet, by the number of the command.
        replies: The newest replies, by the number of the command, oldest first.
        masks: Those that stand and were ever sent, by object and the command that they answered.
    """

    state: State
    works: dict[int, Work]
    replies: dict[int, Reply]
    masks: dict[tuple[int, int], ObjectMask]


def encode(event: Event, replies: Iterable[Reply]) -> bytes:
    """The record of an event that changed a session, and of the replies that it made."""
    fields = _event_fields(event)
    told = [reply for reply in replies if not isinstance(reply, Segments)]
    if isinstance(event, MasksReady) and not any(
        isinstance(one, Masks) and one.seq == event.work.seq for one in told
    ):  # nobody was told them, but a session about a video knows them
        known = Masks(event.work.seq, tuple(replace(m, hypotheses=()) for m in event.masks))
        fields["known"] = _text(_reply_bytes(known))
    fields |= {"v": VERSION, "replies": [_text(_reply_bytes(reply)) for reply in told]}
    return json.dumps(fields, separators=(",", ":")).encode()


def replay(session_id: str, model: ModelCard, records: Sequence[bytes]) -> Restored:
    """The session that these records tell of. The first may be an ImageRead: all before is past.

    Raises:
        Internal: A record cannot be read, or is of a newer version.
    """
    state = State(session_id, model)
    works: dict[int, Work] = {}
    replies: deque[tuple[int, Reply]] = deque(maxlen=MAX_REPLIES)
    masks: dict[tuple[int, int], ObjectMask] = {}
    try:
        for record in records:
            fields = _fields(record)
            event = _event(fields, works)
            if isinstance(event, ImageRead) and state.phase is Phase.NEW:
                state = replace(state, phase=Phase.OPEN)
            state = _after(state, event, works)
            for reply in map(_reply, fields["replies"]):
                replies.append((reply.seq, reply))
                masks |= masks_of(reply)
    except (ValueError, KeyError, TypeError, DecodeError, SeemError) as error:
        raise Internal(f"The log of a session cannot be read: {error}.") from error
    shown = (one.without(*works) for one in state.history.objects)
    standing = masks.keys() & {(one.object_id, one.standing) for one in shown}
    return Restored(state, works, dict(replies), {key: masks[key] for key in standing})


def masks_of(reply: Reply) -> dict[tuple[int, int], ObjectMask]:
    """The masks that a reply tells, by object and the command that it answers."""
    told = reply.objects if isinstance(reply, Masks) else ()
    return {(one.object_id, reply.seq): one for one in told}


def _after(state: State, event: Event, works: dict[int, Work]) -> State:
    """The state after `event`; `works` loses what it ended, and gets what it asks of the engine."""
    if isinstance(event, MasksReady | SegmentsReady | Followed):
        works.pop(event.work.seq, None)
    elif isinstance(event, SupersededBy | Failed):
        works.pop(event.seq, None)
    after, effects = step(state, event)
    for effect in effects:
        match effect:
            case Decode() | Everything() | Follow():
                works[effect.seq] = effect
            case Withdraw(seq):
                works.pop(seq, None)
            case _:
                pass
    return after


# --- events


def _event_fields(event: Event) -> Fields:
    match event:
        case MasksReady():
            masks = [(m.object_id, len(m.hypotheses), _corners(m.box)) for m in event.masks]
            return {"masks": masks, "seq": event.work.seq, "dropped": sorted(event.superseded)}
        case SegmentsReady():
            return {"segments": event.work.seq}
        case SupersededBy():
            return {"superseded": event.seq, "by": event.by_seq}
        case Failed():
            return {"failed": _text(_reply_bytes(event))}
        case Followed():
            return {"followed": event.work.seq}
        case ImageRead():
            message = command_to_proto(SetImage(event.seq, ImageKey(event.key)))
            return {"image": _text(message.SerializeToString()), "size": event.size}
        case FrameRead():
            message = command_to_proto(Frame(event.seq, event.index, ImageKey(event.key)))
            return {"image": _text(message.SerializeToString()), "size": event.size}
        case Prompt():
            return {"command": _text(command_to_proto(_with_keys(event)).SerializeToString())}
        case _:
            return {"command": _text(command_to_proto(event).SerializeToString())}


def _event(fields: Fields, works: dict[int, Work]) -> Event:
    if "masks" in fields:
        return _masks_ready(fields, works[fields["seq"]])
    if "segments" in fields:
        return _segments_ready(works[fields["segments"]])
    if "followed" in fields:
        return _followed(fields, works[fields["followed"]])
    if "superseded" in fields:
        return SupersededBy(fields["superseded"], fields["by"])
    if "failed" in fields:
        return _failed(fields["failed"])
    text = fields.get("image") or fields["command"]
    command = command_from_proto(pb.Command.FromString(b64decode(text)), _UNBOUNDED)
    match command:
        case SetImage(seq, ImageKey(key)):
            height, width = fields["size"]
            return ImageRead(seq, key, (height, width))
        case Frame(seq, index, ImageKey(key)):
            height, width = fields["size"]
            return FrameRead(seq, index, key, (height, width))
        case Prompt():
            return _with_examples(command)
        case SetImage() | Frame() | Failed():
            raise ValueError("a command is none")
        case _:
            return command  # type: ignore[return-value]  # Attach is never logged


def _masks_ready(fields: Fields, work: Work) -> MasksReady:
    if not isinstance(work, Decode):
        raise TypeError("masks answer a question")
    dropped = tuple(fields["dropped"])
    told = _told(fields, work.seq)
    masks = tuple(_mask(told, *mask) for mask in fields["masks"])
    return MasksReady(work.without(*dropped), masks, False, _NO_TIMES, dropped)


def _followed(fields: Fields, work: Work) -> Followed:
    """What was told is all that was kept of it: what was not told, nobody followed any more."""
    if not isinstance(work, Follow):
        raise TypeError("frames answer something else")
    told = _told(fields, work.seq)
    masks = (told[one.object_id] for one in work.objects if one.object_id in told)
    return Followed(work, tuple(masks), False, _NO_TIMES)


def _told(fields: Fields, seq: int) -> dict[int, ObjectMask]:
    """The masks that command `seq` was answered with, by object."""
    replies = map(_reply, [*fields["replies"], *filter(None, [fields.get("known")])])
    masks = (one for one in replies if isinstance(one, Masks) and one.seq == seq)
    return {mask.object_id: mask for one in masks for mask in one.objects}


def _segments_ready(work: Work) -> SegmentsReady:
    if not isinstance(work, Everything):
        raise TypeError("segments answer no question")
    return SegmentsReady(work, (), False, _NO_TIMES)


def _mask(
    told: Mapping[int, ObjectMask],
    object_id: int,
    n_hypotheses: int,
    corners: Sequence[float] | None,
) -> ObjectMask:
    """A mask as it was told, or as far as the rules look at it."""
    box = None if corners is None else Box(*corners)
    others = (Hypothesis(_NO_PIXEL, 0.0, None, 0),) * n_hypotheses
    made = ObjectMask(object_id, _NO_PIXEL, 0.0, box, 0)
    return replace(told.get(object_id, made), hypotheses=others)


def _with_keys(command: Prompt) -> Prompt:
    """The prompt as a client could say it: examples by the key of their image."""

    def said(one: PromptedObject) -> PromptedObject:
        example = one.prompt.example
        if example is None:
            return one
        shown = Example(ImageKey(example.image), MaskPrompt(example.mask))
        return PromptedObject(one.object_id, replace(one.prompt, example=None), shown)

    return replace(command, objects=tuple(map(said, command.objects)))


def _with_examples(command: Prompt) -> Prompt:
    def read(one: PromptedObject) -> PromptedObject:
        if one.example is None or not isinstance(one.example.image, ImageKey):
            return one
        shown = ExamplePrompt(one.example.image.content_hash, one.example.mask.mask)
        return PromptedObject(one.object_id, replace(one.prompt, example=shown))

    return replace(command, objects=tuple(map(read, command.objects)))


# --- bytes and texts


def _fields(record: bytes) -> Fields:
    fields = json.loads(record)
    if not isinstance(fields, dict) or fields.get("v") != VERSION:
        raise ValueError("it is of another version")
    return fields


def _failed(text: str) -> Failed:
    reply = _reply(text)
    if not isinstance(reply, Failed):
        raise TypeError("a failure is none")
    return reply


def _reply(text: str) -> Reply:
    return reply_from_proto(pb.Reply.FromString(b64decode(text)))


def _reply_bytes(reply: Reply) -> bytes:
    return reply_to_proto(reply).SerializeToString()


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _corners(box: Box | None) -> tuple[float, float, float, float] | None:
    return None if box is None else (box.x0, box.y0, box.x1, box.y1)
