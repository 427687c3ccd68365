"""Every command and reply as a frozen value.

Frames and units, here and everywhere: coordinates are `(x, y)` float pixels of the upright original
image (EXIF applied), the centre of the first pixel is (0.5, 0.5). Sizes are `(height, width)`.
Masks are row-major booleans of the original size, or `Rle`. Times are milliseconds. Scores and
probabilities lie in [0, 1].

Values check themselves when they are made, with the errors of `seem_wire.errors`. What only the
image's size or the session's past can tell is the session's to check (`seem_wire.validate`).
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_wire.errors import (
    BadSequence,
    Fault,
    ImageEmpty,
    InvalidValue,
    LimitExceeded,
    OnlyNegativePrompts,
    PromptEmpty,
    SeemError,
    from_code,
)
from seem_wire.validate import check_mask, check_names, check_prompt, check_text

if TYPE_CHECKING:
    from seem_wire.prompts import Box, MaskPrompt, ObjectPrompt
    from seem_wire.rle import Rle

MAX_SEQ = (1 << 63) - 1
"""What a signed number of 64 bits holds; the wire's has one bit more."""

MAX_OBJECT_ID = (1 << 31) - 1
MAX_FRAME = (1 << 31) - 1
MAX_CLIENT_CHARACTERS = 256
MAX_HYPOTHESIS = (1 << 31) - 1
MAX_WAITING = 65_536

_HASH = re.compile(r"[0-9a-f]{64}")


def _check_object_id(object_id: int) -> None:
    if not 1 <= object_id <= MAX_OBJECT_ID:
        raise InvalidValue(f"The object id {object_id} is not within 1 to {MAX_OBJECT_ID}.")


def _check_frame(index: int) -> None:
    if not 0 <= index <= MAX_FRAME:
        raise InvalidValue(f"The frame {index} is not within 0 to {MAX_FRAME}.")


# --- images


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """An image as the bytes of its file (JPEG, PNG, WebP, TIFF, BMP, GIF)."""

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.data:
            raise ImageEmpty("The image has no bytes.")


@dataclass(frozen=True, slots=True)
class ImageKey:
    """An image that the server was given before, by the `content_hash` of its bytes."""

    content_hash: str

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(self.content_hash):
            raise InvalidValue("A content hash is 64 lower-case hexadecimal digits.")


ImageSource = ImageBytes | ImageKey


def content_hash(data: bytes) -> str:
    """The SHA-256 of an image file's bytes, which names the image for good."""
    return hashlib.sha256(data).hexdigest()


# --- commands


def _no_number(seq: int) -> BadSequence:
    error = BadSequence(f"A command has the number {seq}.")
    if seq > MAX_SEQ:
        error.hint = (
            f"Number commands 1, 2, 3 and so on, to {MAX_SEQ} at most; open a new session for more."
        )
    return error


@dataclass(frozen=True, slots=True)
class _Numbered:
    """`seq` is the client's number for the command: from 1 to MAX_SEQ, rising within a session.

    `session_id` is set where a unary call carries the command, empty within a stream.
    """

    seq: int
    session_id: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not 1 <= self.seq <= MAX_SEQ:
            raise _no_number(self.seq)
        check_text(self.session_id)


@dataclass(frozen=True, slots=True)
class OpenImage(_Numbered):
    """Starts a session about images. `client` names the program, for the server's log."""

    client: str = ""

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        if len(self.client) > MAX_CLIENT_CHARACTERS:
            raise InvalidValue(f"The client's name has {len(self.client)} characters.")
        check_text(self.client)


@dataclass(frozen=True, slots=True)
class OpenVideo(OpenImage):
    """Starts a session about a video, otherwise as OpenImage."""


@dataclass(frozen=True, slots=True)
class Attach(_Numbered):
    """Goes on in this stream with the session `resumed`, which was opened before.

    Its `seq` is any number: it is no command of the session. `after_seq`: the client has the
    replies to all commands up to this one. `masks`: tell what stands. `waiting`: commands whose
    replies the client waits for.
    """

    resumed: str
    after_seq: int = 0
    masks: bool = False
    waiting: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        check_text(self.resumed)
        if not 0 <= self.after_seq <= MAX_SEQ:
            raise InvalidValue(f"There is no command of the number {self.after_seq}.")
        if len(self.waiting) > MAX_WAITING:
            raise LimitExceeded(f"The client waits for {len(self.waiting)} replies.")


@dataclass(frozen=True, slots=True)
class SetImage(_Numbered):
    """Makes this the session's image; objects and history start anew."""

    image: ImageSource


@dataclass(frozen=True, slots=True)
class Example:
    """The thing that is meant, shown in another image; `mask` is of that image's size."""

    image: ImageSource
    mask: MaskPrompt

    def __post_init__(self) -> None:
        check_mask(self.mask)


@dataclass(frozen=True, slots=True)
class PromptedObject:
    """What one command says about one object.

    Raises:
        PromptEmpty: Nothing is said.
        InvalidValue: The id is not within 1 to MAX_OBJECT_ID.
        BadPrompt: See `seem_wire.validate.check_prompt`.
    """

    object_id: int
    prompt: ObjectPrompt
    example: Example | None = None

    def __post_init__(self) -> None:
        _check_object_id(self.object_id)
        if self.example is None and self.prompt.is_empty and self.prompt.text is None:
            raise PromptEmpty(f"Nothing is said about object {self.object_id}.")
        check_prompt(self.prompt)

    @property
    def has_positive(self) -> bool:
        """Whether it says where or what the object is, not only where it is not."""
        return self.prompt.has_positive or self.example is not None


def _check_objects(objects: tuple[PromptedObject, ...]) -> None:
    if not objects:
        raise PromptEmpty("The prompt names no object.")
    if len({one.object_id for one in objects}) < len(objects):
        raise InvalidValue("The prompt names an object twice.")


@dataclass(frozen=True, slots=True)
class Prompt(_Numbered):
    """Says something about one or more objects, on top of what was said before.

    A box, mask, text or example takes the place of the object's earlier one; points, scribbles,
    lassos and negative boxes add up. Without `predict` it is only queued, and counted in by the
    next one that predicts. `hypotheses` asks what else it may have meant. `frame`: of a video, the
    one that it is about; None for an image.
    """

    objects: tuple[PromptedObject, ...]
    predict: bool = True
    hypotheses: bool = False
    frame: int | None = None

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        _check_objects(self.objects)
        if self.frame is not None:
            _check_frame(self.frame)


@dataclass(frozen=True, slots=True)
class Undo(_Numbered):
    """Takes back the last prompt, choice, removal or clear; of one object, what it did to that."""

    object_id: int | None = None

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        if self.object_id is not None:
            _check_object_id(self.object_id)


@dataclass(frozen=True, slots=True)
class Redo(_Numbered):
    """Does again what was undone last; of one object, also after a change of others."""

    object_id: int | None = None

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        if self.object_id is not None:
            _check_object_id(self.object_id)


@dataclass(frozen=True, slots=True)
class Clear(_Numbered):
    """Forgets all objects; can be undone."""


@dataclass(frozen=True, slots=True)
class RemoveObject(_Numbered):
    """Forgets one object; can be undone."""

    object_id: int

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        _check_object_id(self.object_id)


@dataclass(frozen=True, slots=True)
class Frame(_Numbered):
    """Gives a video its next frame; `index` counts them from 0."""

    index: int
    image: ImageSource

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        _check_frame(self.index)


@dataclass(frozen=True, slots=True)
class Propagate(_Numbered):
    """Follows all objects to a video's frame `frame`, from the frame `source` beside it.

    A `source` that is the frame itself is none: objects are known by their prompts alone.
    """

    frame: int
    source: int

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        _check_frame(self.frame)
        _check_frame(self.source)


@dataclass(frozen=True, slots=True)
class Stop(_Numbered):
    """Ends what was asked by Propagate and is not answered yet."""


@dataclass(frozen=True, slots=True)
class Choose(_Numbered):
    """Says which of the hypotheses sent for an object's last prompt was meant; can be undone.

    `hypothesis` is its place in the list that was sent, from 0.
    """

    object_id: int
    hypothesis: int

    def __post_init__(self) -> None:
        _Numbered.__post_init__(self)
        _check_object_id(self.object_id)
        if not 0 <= self.hypothesis <= MAX_HYPOTHESIS:
            raise InvalidValue(f"There is no hypothesis of the number {self.hypothesis}.")


@dataclass(frozen=True, slots=True)
class Release(_Numbered):
    """Ends the session."""


class SegmentKind(StrEnum):
    """What everything in an image is cut into.

    Panoptic: things one by one and stuff by name, each pixel at most once. Instance: things one by
    one, best first, which may overlap. Semantic: one segment for each name.
    """

    PANOPTIC = "panoptic"
    INSTANCE = "instance"
    SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class Question:
    """What is in the image?

    `vocabulary`: the names to look for, None for the model's own. `threshold`: the least score of a
    segment, None for the model's own.

    Raises:
        InvalidValue: The vocabulary is empty or names something twice; the threshold is not within
            0 to 1.
        PromptEmpty: A name is blank.
    """

    kind: SegmentKind = SegmentKind.PANOPTIC
    vocabulary: tuple[str, ...] | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.vocabulary is not None:
            check_names(self.vocabulary)
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InvalidValue(f"A threshold of {self.threshold} is not within 0 to 1.")


@dataclass(frozen=True, slots=True)
class Everything(_Numbered):
    """Asks what is in the image. It changes no object, and there is nothing to undo.

    A newer one of the same session takes an older one's place while that waits.
    """

    question: Question = Question()


Command = (
    OpenImage
    | SetImage
    | Prompt
    | Undo
    | Redo
    | Clear
    | RemoveObject
    | Release
    | Everything
    | Choose
    | Attach
    | OpenVideo
    | Frame
    | Propagate
    | Stop
)

VIDEO_COMMAND_NAMES = frozenset({"open_video", "frame", "propagate", "stop"})
"""Offered only where the model can follow objects through a video."""

COMMAND_NAMES = frozenset(
    {
        "open_image",
        "set_image",
        "prompt",
        "undo",
        "redo",
        "clear",
        "remove_object",
        "release",
        "everything",
        "choose",
        "attach",
        *VIDEO_COMMAND_NAMES,
    }
)
"""Every command of this version, by the name that `Capabilities.commands` uses.

A server offers "everything" only where its model can tell.
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """One image and what to cut out of it, without a session: objects, or all that a question asks.

    Raises:
        InvalidValue: Both are asked for.
        OnlyNegativePrompts: An object is told only where it is not.
    """

    image: ImageSource
    objects: tuple[PromptedObject, ...] = ()
    question: Question | None = None

    def __post_init__(self) -> None:
        if self.question is not None:
            if self.objects:
                raise InvalidValue("Ask for objects or for everything, not for both at once.")
            return
        _check_objects(self.objects)
        for one in self.objects:
            if not one.has_positive:
                raise OnlyNegativePrompts(f"Object {one.object_id} has only negative prompts.")


# --- replies


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went on the server, in milliseconds."""

    queue_ms: float = 0.0
    encode_ms: float = 0.0
    decode_ms: float = 0.0
    post_ms: float = 0.0
    total_ms: float = 0.0

    def __post_init__(self) -> None:
        spent = (self.queue_ms, self.encode_ms, self.decode_ms, self.post_ms, self.total_ms)
        if not all(math.isfinite(ms) and ms >= 0 for ms in spent):
            raise InvalidValue("A time is negative or not finite.")


def _check_shares(*shares: float | None) -> None:
    for share in shares:
        if share is not None and not 0 <= share <= 1:
            raise InvalidValue(f"A score of {share} is not within 0 to 1.")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One of the things that a prompt may have meant: a part, the whole, or a group perhaps.

    `score` is the model's own estimate of the mask's IoU, if this is what was meant. The rest is as
    in `ObjectMask`.
    """

    rle: Rle
    score: float
    box: Box | None
    area: int

    def __post_init__(self) -> None:
        _check_shares(self.score)


@dataclass(frozen=True, slots=True)
class ObjectMask:
    """An object's mask and what the model thinks of it.

    Attributes:
        rle: The mask at the original image's size.
        score: The model's own estimate of the mask's IoU.
        box: Around the mask, pixel edges; None where the mask is empty.
        area: Pixels in the mask.
        label: The model's name for the object, with `label_probability`, where it has names.
        round: How many predictions this object has had, 1 for the first; 0 where it was followed to
            this frame of a video.
        changed: Around the pixels that differ from the mask before; None where none do.
        is_thing: Whether the label names things that can be counted (a dog) and not stuff (grass);
            None where nobody knows.
        presence: How likely the object is in the image at all; None where the model doesn't say.
            An object that was only named, or shown in another image, or that is followed through a
            video, has an empty mask where that is too unlikely.
        hypotheses: What the prompt may have meant, this mask first and then the most likely first;
            empty where nobody asked.
    """

    object_id: int
    rle: Rle
    score: float
    box: Box | None
    area: int
    label: str | None = None
    label_probability: float | None = None
    round: int = 1
    changed: Box | None = None
    is_thing: bool | None = None
    presence: float | None = None
    hypotheses: tuple[Hypothesis, ...] = ()

    def __post_init__(self) -> None:
        _check_object_id(self.object_id)
        _check_shares(self.score, self.label_probability, self.presence)


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is there; `session_id` names it from now on."""

    seq: int
    session_id: str
    model: ModelCard


@dataclass(frozen=True, slots=True)
class Attached:
    """The session goes on in this stream; `objects` stand, where that was asked."""

    seq: int
    session: SessionCard
    model: ModelCard
    objects: tuple[ObjectMask, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSet:
    """The image was read. `size` is (height, width), upright; `cache_hit`: no encoding needed."""

    seq: int
    content_hash: str
    size: tuple[int, int]
    cache_hit: bool = False
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class Masks:
    """What now stands for the objects that the command changed.

    `removed_object_ids` are objects without a mask from now on, because their first prompt was
    undone. `cache_hit`: the image needed no encoding. Equal `model_id`s give equal masks. `frame`:
    of a video, the one that they are of.
    """

    seq: int
    objects: tuple[ObjectMask, ...]
    removed_object_ids: tuple[int, ...] = ()
    timings: Timings = Timings()
    cache_hit: bool = False
    model_id: str = ""
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Segments:
    """What is in the image: segments numbered 1, 2, ... by `object_id`, which are no objects."""

    seq: int
    segments: tuple[ObjectMask, ...]
    timings: Timings = Timings()
    cache_hit: bool = False
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The command was carried out, and there is nothing to show."""

    seq: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The command was refused or broke; the session is as it was before."""

    seq: int
    code: str
    message: str
    hint: str = ""
    fault: Fault = Fault.SERVER
    retry_after_ms: int | None = None

    @classmethod
    def of(cls, seq: int, error: SeemError) -> Failed:
        """The reply that tells of `error`."""
        return cls(seq, error.code, error.message, error.hint, error.fault, error.retry_after_ms)

    def to_error(self) -> SeemError:
        """The exception that this tells of, ready to be raised."""
        return from_code(
            self.code,
            self.message,
            fault=self.fault,
            hint=self.hint,
            retry_after_ms=self.retry_after_ms,
        )


@dataclass(frozen=True, slots=True)
class SupersededBy:
    """Command `by_seq` was served in this one's place and counts it in."""

    seq: int
    by_seq: int


Reply = Opened | Attached | ImageSet | Masks | Segments | Done | Failed | SupersededBy


@dataclass(frozen=True, slots=True)
class Segmented:
    """The answer to `Segment`. `size` is (height, width) of the upright image."""

    content_hash: str
    size: tuple[int, int]
    objects: tuple[ObjectMask, ...]
    timings: Timings = Timings()
    cache_hit: bool = False
    model_id: str = ""


# --- what a server is and offers


class PromptKind(StrEnum):
    """A way to say which object is meant."""

    POINT = "point"
    BOX = "box"
    SCRIBBLE = "scribble"
    LASSO = "lasso"
    MASK = "mask"
    TEXT = "text"
    EXAMPLE = "example"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes at most.

    Attributes:
        max_image_bytes: Of an encoded image.
        max_image_pixels: Of an image, known from its header before it is decoded.
        max_objects: In one session.
        max_points: Clicks, vertices of scribbles and lassos, and two corners for each negative box,
            for one object in one command.
        max_text_characters: Of one text prompt.
        max_mask_pixels: Of all mask prompts and examples' masks in one command together.
        max_names: In the vocabulary of one question.
    """

    max_image_bytes: int = 32 * 1024**2
    max_image_pixels: int = 64 * 1024**2
    max_objects: int = 64
    max_points: int = 4096
    max_text_characters: int = 512
    max_mask_pixels: int = 128 * 1024**2
    max_names: int = 256


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers: prompt kinds, commands by their name in seem.proto, limits."""

    prompts: frozenset[PromptKind]
    commands: frozenset[str]
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Licence:
    """Under what terms a part may be used; `licence` is an SPDX identifier where there is one."""

    covers: str
    licence: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a server runs.

    Attributes:
        model_id: Name and hash of the bundle: equal ids give equal masks.
        input_sizes: (height, width) at which the network runs.
        provider: Where it runs: "cpu", "cuda" or "fake".
        vocabulary: Names that the model can put on what it finds.
    """

    model_id: str
    name: str
    variant: str
    capabilities: Capabilities
    input_sizes: tuple[tuple[int, int], ...] = ()
    licences: tuple[Licence, ...] = ()
    provider: str = "cpu"
    vocabulary: tuple[str, ...] = ()
    server_version: str = ""


@dataclass(frozen=True, slots=True)
class SessionCard:
    """What a session holds. `content_hash` and `size` are None before an image is set.

    `n_frames`: of a video, so far; the content hash is that of the newest.
    """

    session_id: str
    model_id: str
    content_hash: str | None = None
    size: tuple[int, int] | None = None
    object_ids: tuple[int, ...] = ()
    undo_depth: int = 0
    redo_depth: int = 0
    last_seq: int = 0
    n_frames: int = 0
