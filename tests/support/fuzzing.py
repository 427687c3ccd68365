"""Everything that reads bytes from outside, and inputs that are nearly right.

A decoder may give a value or raise what it promises to raise. Anything else is a find: another
exception, more than a second, or more memory than there is (`python tests/fuzz/run.py` bounds it).
"""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.message import DecodeError
from PIL import Image
from session_words import (
    HERE,
    KEY,
    MASK,
    MODEL,
    NOT_HERE,
    SHOWN,
    SIZE,
    ZEBRA,
    answered,
    decodes,
    follows,
    frame,
    prompt,
    replies,
)

from seem_server.runtime.bundle import read_bundle, shipped_bundles
from seem_server.runtime.fields import Fields
from seem_server.runtime.manifest import listed_files, read_manifest
from seem_server.service.ingest import read_image
from seem_server.session import records
from seem_server.session.events import ImageRead
from seem_server.session.machine import step
from seem_server.session.state import State
from seem_wire import convert, rle, types
from seem_wire.errors import BadImage, BadPrompt, BundleInvalid, Internal, LimitExceeded, SeemError
from seem_wire.rle import Rle
from seem_wire.v1 import seem_pb2 as pb

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from seem_server.session.events import Event

LIMITS = types.Limits(max_image_bytes=1 << 20, max_image_pixels=1 << 20, max_mask_pixels=1 << 20)
SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Decoder:
    """One way in.

    Attributes:
        read: Takes the bytes.
        allowed: What it may raise.
        seeds: Inputs that it takes.
        share: Of a million inputs, relative to the other decoders'.
    """

    name: str
    read: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Find:
    """An input that a decoder does not stand."""

    decoder: str
    data: bytes
    what: str


def decoders() -> tuple[Decoder, ...]:
    """All of them."""
    return (
        Decoder("command", _command, (DecodeError,), tuple(_commands()), 0.34),
        Decoder("segment", _segment, (DecodeError, SeemError), tuple(_segments()), 0.14),
        Decoder("reply", _reply, (DecodeError, SeemError), tuple(_replies()), 0.14),
        Decoder("error", convert.error_from_bytes, (), (_error(),), 0.06),
        Decoder("mask", _mask, (BadPrompt, LimitExceeded), tuple(_masks()), 0.20),
        Decoder("image", _image, (BadImage,), tuple(_images()), 0.04),
        Decoder("bundle", _bundle, (BundleInvalid,), (_manifest(),), 0.03),
        Decoder("log", _log, (Internal,), (_records(), _records_of_a_video()), 0.05),
    )


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, spoilt in one to eight places."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        _spoil(chance, data, seeds)
    return bytes(data)


def try_on(decoder: Decoder, data: bytes, *, taken: list[bytes] | None = None) -> Find | None:
    """What is wrong with how a decoder takes `data`, if anything; what it takes goes to `taken`."""
    began_s = time.monotonic()
    try:
        decoder.read(data)
        if taken is not None:
            taken.append(data)
    except decoder.allowed:
        pass
    except Exception as error:  # noqa: BLE001  (whatever it is, it is a find)
        return Find(decoder.name, data, f"{type(error).__name__}: {error}")
    spent_s = time.monotonic() - began_s
    return Find(decoder.name, data, f"took {spent_s:.1f} s") if spent_s > SLOW_S else None


def _spoil(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    match chance.randrange(8):
        case 0 if data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        case 1 if data:
            data[place % len(data)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B, 0x7D))
        case 2:
            data[place:place] = chance.randbytes(chance.choice((1, 2, 4, 16)))
        case 3:
            del data[place : place + chance.choice((1, 2, 8, 64))]
        case 4:
            del data[place:]
        case 5:
            data[place:place] = data[chance.randrange(len(data) + 1) :][:32]
        case 6:
            other = chance.choice(seeds)
            data[place:] = other[chance.randrange(len(other) + 1) :]
        case _:
            number = chance.choice((0, 1, 255, 1 << 31, (1 << 32) - 1, (1 << 64) - 1))
            data[place : place + 8] = number.to_bytes(8, chance.choice(("little", "big")))


# --- decoders


def _command(data: bytes) -> object:
    return convert.command_from_proto(pb.Command.FromString(data), LIMITS)


def _segment(data: bytes) -> object:
    return convert.segment_from_proto(pb.SegmentRequest.FromString(data), LIMITS)


def _reply(data: bytes) -> object:
    reply = convert.reply_from_proto(pb.Reply.FromString(data))
    if isinstance(reply, types.Masks):
        return [rle.decode(one.rle, max_pixels=LIMITS.max_mask_pixels) for one in reply.objects]
    return reply


def _mask(data: bytes) -> object:
    height, width = (int.from_bytes(data[at : at + 3], "little") for at in (0, 3))
    return rle.decode(Rle(height, width, data[6:].decode("latin-1")), max_pixels=1 << 20)


def _image(data: bytes) -> object:
    return read_image(data, LIMITS)


def _bundle(data: bytes) -> object:
    folder = shipped_bundles()["tiny"]
    fields = Fields.of_text(data, "bundle.json")
    return read_manifest(fields, listed_files(fields), folder)


def _log(data: bytes) -> object:
    return records.replay("session", MODEL, data.split(b"\n"))


# --- what they take


def _commands() -> Iterator[bytes]:
    image = types.SetImage(2, types.ImageBytes(b"not looked at here"))
    for command in (
        types.OpenImage(1, "client"),
        image,
        types.SetImage(2, types.ImageKey(KEY)),
        prompt(3, HERE, (2, MASK), hypotheses=True),
        prompt(4, ZEBRA),
        types.Everything(5, types.Question(vocabulary=("cat", "dog"))),
        types.Attach(6, "session", 5, True, (1, 2, 3)),
        types.Choose(7, 1, 2),
        types.Undo(8, session_id="session"),
        types.Redo(8, 3, session_id="session"),
        types.OpenVideo(1, "client"),
        types.Frame(2, 0, types.ImageKey(KEY)),
        prompt(3, HERE, frame=1),
        types.Propagate(4, 2, 1),
        types.Stop(5),
    ):
        yield convert.command_to_proto(command).SerializeToString()


def _segments() -> Iterator[bytes]:
    said = (types.PromptedObject(1, HERE), types.PromptedObject(2, MASK))
    for request in (
        types.Segment(types.ImageKey(KEY), said),
        types.Segment(types.ImageBytes(b"x"), question=types.Question()),
    ):
        yield convert.segment_to_proto(request).SerializeToString()


def _replies() -> Iterator[bytes]:
    mask = rle.encode(np.eye(30, dtype=np.bool_))
    one = types.ObjectMask(1, mask, 0.5, None, 30, "cat", 0.5, 2, None, True, 0.5)
    card = types.SessionCard("session", "model@1", KEY, SIZE, (1, 2), 1, 2, 3, 4)
    for reply in (
        types.Opened(1, "session", MODEL),
        types.Attached(1, card, MODEL, (one,)),
        types.ImageSet(2, KEY, SIZE),
        types.Masks(3, (one,), (2,), model_id="model@1"),
        types.Masks(3, (one,), frame=2),
        types.Segments(4, (one, one), model_id="model@1"),
        types.SupersededBy(5, 6),
        types.Failed.of(7, LimitExceeded("Too much.")),
    ):
        yield convert.reply_to_proto(reply).SerializeToString()


def _error() -> bytes:
    return convert.error_to_bytes(LimitExceeded("Too much.", retry_after_ms=7))


def _masks() -> Iterator[bytes]:
    chance = np.random.default_rng(0)
    for mask in (np.eye(30, dtype=np.bool_), chance.random((40, 60)) < 0.5, np.ones((9, 9), bool)):
        found = rle.encode(mask)
        size = found.height.to_bytes(3, "little") + found.width.to_bytes(3, "little")
        yield size + found.counts.encode()


def _images() -> Iterator[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        yield file.getvalue()


def _manifest() -> bytes:
    read_bundle("tiny")
    return (shipped_bundles()["tiny"] / "bundle.json").read_bytes()


def _records() -> bytes:
    events = (
        (types.OpenImage(1), [types.Opened(1, "session", MODEL)]),
        (ImageRead(2, KEY, SIZE), [types.ImageSet(2, KEY, SIZE)]),
        (prompt(3, HERE, (2, SHOWN)), []),
        (types.Everything(4), []),
        (types.SupersededBy(3, 5), [types.SupersededBy(3, 5)]),
        (prompt(5, MASK), []),
        (types.Failed.of(5, Internal("It broke.")), [types.Failed.of(5, Internal("It broke."))]),
        (types.Undo(6), []),
    )
    return b"\n".join(records.encode(event, replies) for event, replies in events)


def _records_of_a_video() -> bytes:
    state, lines = State("session", MODEL), []
    commands = (
        types.OpenVideo(1),
        *(frame(2 + index, index) for index in range(3)),
        prompt(5, HERE, (2, MASK), frame=0),
        types.Propagate(6, 1, 0),
        types.RemoveObject(7, 2),
        prompt(8, NOT_HERE, frame=1),
        types.Propagate(9, 2, 1),
        types.Propagate(10, 2, 1),
        types.Stop(11),
    )
    for command in commands:
        left: list[Event] = [command]
        for event in left:  # it grows meanwhile
            state, effects = step(state, event)
            lines.append(records.encode(event, replies(effects)))
            works = (*decodes(effects), *follows(effects))
            left += [answered(work) for work in works if work.seq != 10]
    return b"\n".join(lines)


def as_seed(find: Find) -> str:
    """A find as a line of `tests/fuzz/finds.jsonl`."""
    return json.dumps({"decoder": find.decoder, "data": find.data.hex(), "what": find.what})
