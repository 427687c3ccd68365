"""What can happen to a session, and what must be done about it.

Commands are those of `seem_wire.types`, but for SetImage and Frame: their image was read before, so
that the session hears of a key and a size and never sees a byte. For the same reason an example in
a Prompt has become an `ExamplePrompt`. Outcomes are how the engine's tickets end.
"""

from __future__ import annotations

from dataclasses import dataclass

from seem_server.engine.work import Decode, Encode, Follow, Followed, MasksReady, SegmentsReady
from seem_server.engine.work import Everything as FindEverything
from seem_wire.types import (
    Choose,
    Clear,
    Everything,
    Failed,
    OpenImage,
    OpenVideo,
    Prompt,
    Propagate,
    Redo,
    Release,
    RemoveObject,
    Reply,
    Stop,
    SupersededBy,
    Timings,
    Undo,
)


@dataclass(frozen=True, slots=True)
class ImageRead:
    """Command `seq` set an image, and it was read: `size` is its upright (height, width).

    `key` is the content hash, and names the image to the engine too. `cache_hit`: its features
    were there already. `timings` are those of reading it.
    """

    seq: int
    key: str
    size: tuple[int, int]
    cache_hit: bool = False
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class FrameRead:
    """Command `seq` gave a video frame `index`, and it was read; otherwise as ImageRead."""

    seq: int
    index: int
    key: str
    size: tuple[int, int]
    cache_hit: bool = False
    timings: Timings = Timings()


Command = (
    OpenImage
    | ImageRead
    | Prompt
    | Undo
    | Redo
    | Clear
    | RemoveObject
    | Release
    | Everything
    | Choose
    | OpenVideo
    | FrameRead
    | Propagate
    | Stop
)

Outcome = MasksReady | SegmentsReady | Followed | SupersededBy | Failed
"""How a Decode, FindEverything or Follow ended, by the `seq` of the command that asked for it."""

Event = Command | Outcome


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the client."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the work of command `seq`: it has been answered otherwise."""

    seq: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over: let go of all that is kept for it."""


Effect = Send | Decode | FindEverything | Follow | Encode | Withdraw | Forget
"""The middle four are work to submit; the outcome of the first three must come back as an event."""
