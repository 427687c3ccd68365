"""Objects followed through a video: frame after frame, in the order in which it was asked.

    Propagate ─ waits ─> Follow ─┬─> Followed ─> Masks     known from now on
                │ ^ │            └─> Failed ───> Error
                │ └─── Decode ─> MasksReady                marks are known again
                └─── Stop, or the session's end ─> Error   (cancelled)

One frame is followed to at a time, because the next one builds on it; and none while a prompt is
not answered, because that is what to follow. History knows nothing of it: what was followed is
known until it is followed anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seem_server.engine.work import (
    Decode,
    Encode,
    Follow,
    Followed,
    MasksReady,
    Priority,
    SegmentsReady,
)
from seem_server.session.events import Send, Withdraw
from seem_server.session.state import Image, Video
from seem_server.tracking import memory
from seem_server.tracking.memory import Known
from seem_wire.errors import (
    FrameOutOfOrder,
    FrameSizeChanged,
    LimitExceeded,
    NothingToFollow,
    UnknownFrame,
)
from seem_wire.types import Failed, ImageSet, Masks, SupersededBy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seem_server.session.events import Effect, FrameRead, Outcome
    from seem_server.session.history import Key, ObjectState
    from seem_server.session.state import State
    from seem_wire.errors import SeemError
    from seem_wire.types import ObjectMask, Propagate

    Step = tuple[State, tuple[Effect, ...]]

MAX_WAITING = 512
"""Frames that may be asked for ahead: half of what a stream may have unanswered, so that a click or
Stop behind them is read."""


def add_frame(state: State, video: Video, read: FrameRead) -> Step:
    """The state with one frame more.

    Raises:
        FrameOutOfOrder: It is not the next one.
        FrameSizeChanged: It is not of the size of those before.
    """
    expected = len(video.frames)
    if read.index != expected:
        raise FrameOutOfOrder(f"Frame {read.index} came where frame {expected} comes next.")
    if state.image is not None and read.size != state.image.size:
        height, width = read.size
        before = "{1} x {0}".format(*state.image.size)
        raise FrameSizeChanged(
            f"Frame {read.index} is of {width} x {height} pixels, those before of {before}."
        )
    after = replace(
        state,
        image=Image(read.key, read.size),
        video=replace(video, frames=(*video.frames, read.key)),
    )
    reply = ImageSet(read.seq, read.key, read.size, read.cache_hit, read.timings)
    # The first is prompted soon; encoding the others ahead would only keep clicks waiting.
    ahead = () if expected else (Encode(state.session_id, read.key),)
    return after, (Send(reply), *ahead)


def check_frame(video: Video, frame: int) -> None:
    """Raises UnknownFrame where the video does not have it (yet)."""
    if frame >= len(video.frames):
        raise UnknownFrame(
            f"The video has {len(video.frames)} frames so far, and no frame {frame}."
        )


def ask(state: State, video: Video, command: Propagate) -> State:
    """The state in which following to a frame waits; `go_on` begins it.

    Raises:
        UnknownFrame: The video does not have one of the frames.
        NothingToFollow: No object was prompted on any frame.
        LimitExceeded: Too much waits already.
    """
    check_frame(video, command.frame)
    check_frame(video, command.source)
    if not any(one.rounds for one in state.history.objects):
        raise NothingToFollow("No object of the video was prompted yet.")
    if len(video.waiting) >= MAX_WAITING:
        raise LimitExceeded(f"{MAX_WAITING} frames wait to be followed to already.")
    return replace(state, video=replace(video, waiting=(*video.waiting, command)))


def go_on(state: State) -> Step:
    """Begins what waits, as soon as nothing else has to end first; answers what needs no work."""
    effects: list[Effect] = []
    while (video := state.video) is not None and video.waiting and video.running is None:
        if any(not one.failed for one in state.pending):
            break
        command, waiting = video.waiting[0], video.waiting[1:]
        if forgotten := _unknown_marks(state, video):
            frame = forgotten[0].frame
            here = tuple(one for one in forgotten if one.frame == frame)
            effects.append(_recall(state, command, video.frames[frame], here))
            recalled = video.recalled | {one.key for one in here}
            video = replace(video, waiting=waiting, running=command, recalled=recalled)
            state = replace(state, video=video)
            break
        video = replace(video, waiting=waiting, recalled=frozenset())
        trails = []
        for known in _standing(state, video).values():
            if not _is_marked(known, command.frame):
                way = memory.trail(known, video.frames, to=command.frame, source=command.source)
                trails += [] if way is None else [way]
        if trails:
            key = video.frames[command.frame]
            effects.append(Follow(state.session_id, command.seq, key, tuple(trails)))
            state = replace(state, video=replace(video, running=command, began=state.last_seq))
            break
        state = replace(state, video=video)
        effects.append(Send(_answer(state, video, command, ())))
    return state, tuple(effects)


def end(state: State, outcome: Outcome) -> Step | None:
    """The state after a Follow ended, and its answer; None where it is something else's."""
    video = state.video
    if video is None or video.running is None or isinstance(outcome, SegmentsReady):
        return None
    seq = outcome.work.seq if isinstance(outcome, Followed | MasksReady) else outcome.seq
    if seq != video.running.seq:
        return None
    if isinstance(outcome, MasksReady | SupersededBy):
        return _again(state, video, outcome), ()
    command = video.running
    after = replace(state, video=replace(video, running=None, recalled=frozenset()))
    if not isinstance(outcome, Followed):
        return after, (Send(outcome),)
    wanted = _wanted(state, video, command.frame)
    masks = tuple(mask for mask in outcome.masks if mask.object_id in wanted)
    after = learned(after, (Known(command.frame, mask) for mask in masks))
    answer = _answer(after, video, command, masks)
    reply = replace(answer, timings=outcome.timings, cache_hit=outcome.cache_hit)
    return after, (Send(reply),)


def stop(state: State, because: SeemError) -> Step:
    """Answers all that waits to be followed, and takes it from the engine."""
    video = state.video
    if video is None:
        return state, ()
    effects: list[Effect] = []
    if video.running is not None:
        effects += (Withdraw(video.running.seq), Send(Failed.of(video.running.seq, because)))
    effects += (Send(Failed.of(one.seq, because)) for one in video.waiting)
    idle = replace(video, running=None, waiting=(), recalled=frozenset())
    return replace(state, video=idle), tuple(effects)


def learned(state: State, news: Iterable[Known]) -> State:
    """The state that knows these masks, too."""
    if state.video is None:
        return state
    video = replace(state.video, known=memory.learned(state.video.known, news))
    return replace(state, video=video)


def forgotten(state: State, object_ids: Iterable[int]) -> State:
    """The state that does not know where these objects were followed to."""
    if state.video is None:
        return state
    known = memory.without_objects(state.video.known, object_ids)
    return replace(state, video=replace(state.video, known=known))


def start_of(state: State, frame: int, object_id: int) -> Known | None:
    """Where an object was followed to in a frame, if any of it is to be seen there."""
    if state.video is None:
        return None
    known = memory.found(state.video.known, frame, object_id)
    return known if known is not None and known.is_seen else None


def _unknown_marks(state: State, video: Video) -> tuple[ObjectState, ...]:
    """Marks that stand and whose masks are not known, or not any more: undone, or long ago."""
    known = {(one.frame, one.object_id, one.mark) for one in video.known}
    marks = (one for one in state.history.objects if one.rounds and one.key not in video.recalled)
    return tuple(one for one in marks if (*one.key, one.standing) not in known)


def _recall(
    state: State, command: Propagate, image_key: str, marks: tuple[ObjectState, ...]
) -> Decode:
    """Has the masks of marks made again; their rounds are as they were, and so are the masks."""
    objects = tuple(one.to_answer() for one in marks)
    frame = marks[0].frame
    return Decode(
        *(state.session_id, command.seq, image_key, objects),
        priority=Priority.PROPAGATION,
        frame=frame,
    )


def _again(state: State, video: Video, outcome: MasksReady | SupersededBy) -> State:
    """The state in which a command that had marks recalled is the next again."""
    waiting = video.waiting if video.running is None else (video.running, *video.waiting)
    again = replace(video, running=None, waiting=waiting)
    if isinstance(outcome, SupersededBy):
        return replace(state, video=replace(again, recalled=frozenset()))
    after, work = replace(state, video=again), outcome.work
    marks = {one.object_id: one.rounds[-1].seq for one in work.objects}
    return learned(after, (Known(work.frame, one, marks[one.object_id]) for one in outcome.masks))


def _wanted(state: State, video: Video, frame: int) -> frozenset[int]:
    """The objects that the engine was asked to follow to a frame, and that have no mark there."""
    there = {
        one.object_id for one in state.history.objects if one.rounds and one.since[0] <= video.began
    }
    known = _standing(state, video)
    return frozenset(one for one in there if not _is_marked(known[one], frame))


def _standing(state: State, video: Video) -> dict[int, list[Known]]:
    """What stands of each object that has a mask anywhere, one mask a frame."""
    marks: dict[Key, ObjectState] = {one.key: one for one in state.history.objects if one.rounds}
    known: dict[int, list[Known]] = {object_id: [] for _, object_id in marks}
    for one in video.known:
        mark = marks.get((one.frame, one.object_id))
        stands = one.mark == mark.standing if mark is not None else not one.mark
        if one.object_id in known and stands:
            known[one.object_id].append(one)
    return known


def _is_marked(known: Iterable[Known], frame: int) -> bool:
    return any(one.mark and one.frame == frame for one in known)


def _answer(
    state: State, video: Video, command: Propagate, followed: tuple[ObjectMask, ...]
) -> Masks:
    """The masks of a frame: those that were followed to it, and those that were prompted there.

    An object whose every mark is empty has nothing to be recognised by: it is not to be seen.
    """
    masks = {mask.object_id: mask for mask in followed}
    for object_id, known in _standing(state, video).items():
        marks = [one for one in known if one.mark]
        if marks and not any(one.is_seen for one in marks):
            masks[object_id] = replace(marks[0].mask, round=0, changed=None)
    for one in state.history.objects:
        if one.frame == command.frame and one.standing is not None:
            mark = memory.found(video.known, one.frame, one.object_id, one.standing)
            if mark is not None:
                masks[one.object_id] = mark.mask
    objects = tuple(masks[object_id] for object_id in sorted(masks))
    return Masks(command.seq, objects, frame=command.frame, model_id=state.model.model_id)
