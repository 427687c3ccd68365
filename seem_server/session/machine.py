"""The rules of a session: `step(state, event)` gives the state after, and what must be done.

Every command is answered exactly once: at once, or by the outcome of its Decode, or by the command
that made its answer pointless. A command that is refused leaves the state as it was.

    Prompt ──> Decode ──> MasksReady ────> Masks       the rounds really used become the chain
       │          ├─────> SupersededBy ──> Superseded  its round drops out; what was said stays
       │          └─────> Failed ────────> Error       what was said is taken back
       └ queued ─────────────────────────> Done

Questions change nothing and are apart, in `session.questions`; so is what follows objects through a
video, in `session.following`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seem_server.engine.work import Decode, Encode, Followed, MasksReady, SegmentsReady
from seem_server.session import following, questions, sayings
from seem_server.session.events import Effect, Forget, FrameRead, ImageRead, Send, Withdraw
from seem_server.session.history import History
from seem_server.session.state import Image, Pending, Phase, State, Video
from seem_server.tracking.memory import Known
from seem_wire.errors import (
    AlreadyOpen,
    BadSequence,
    Cancelled,
    InvalidValue,
    NoImage,
    NothingToRedo,
    NothingToUndo,
    NotOffered,
    OtherSubject,
    SeemError,
    UnknownObject,
    UnknownSession,
)
from seem_wire.prompts import Box
from seem_wire.types import (
    Choose,
    Clear,
    Done,
    Everything,
    Failed,
    ImageSet,
    Masks,
    Opened,
    OpenImage,
    OpenVideo,
    Prompt,
    Propagate,
    Redo,
    Release,
    RemoveObject,
    Stop,
    SupersededBy,
    Undo,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seem_server.engine.work import ObjectRounds
    from seem_server.session.events import Command, Event, Outcome
    from seem_server.session.history import Key, Objects, ObjectState
    from seem_wire.rle import Rle
    from seem_wire.types import ObjectMask

Effects = tuple[Effect, ...]
Step = tuple[State, Effects]


def step(state: State, event: Event) -> Step:
    """The state after `event`, and what you must do, in this order. Never raises."""
    if isinstance(event, MasksReady | SegmentsReady | Followed | SupersededBy | Failed):
        ended = questions.end(state, event) or following.end(state, event) or _end(state, event)
        return _going_on(*ended)
    try:
        _check_order(state, event)
        after, effects = _obey(state, event)
    except SeemError as error:
        return state, (Send(Failed.of(event.seq, error)),)
    return _going_on(replace(after, last_seq=event.seq), effects)


def _going_on(state: State, effects: Effects) -> Step:
    """Begins what waited for this."""
    after, more = following.go_on(state)
    return after, (*effects, *more)


def _check_order(state: State, command: Command) -> None:
    if state.phase is Phase.OVER or (
        state.phase is Phase.NEW and not isinstance(command, OpenImage)
    ):
        raise UnknownSession("There is no open session.")
    if command.seq <= state.last_seq:
        raise BadSequence(f"Command {command.seq} follows command {state.last_seq}.")


def _obey(state: State, command: Command) -> Step:  # noqa: C901, PLR0912  (a case a kind)
    match command:
        case OpenImage():
            return _open(state, command)
        case ImageRead():
            return _set_image(state, command)
        case FrameRead():
            return following.add_frame(state, _video(state), command)
        case Propagate():
            return following.ask(state, _video(state), command), ()
        case Stop():
            return _stop(state, command)
        case Prompt():
            return _prompt(state, command)
        case Choose():
            return _choose(state, command)
        case Undo():
            return _undo(state, command)
        case Redo():
            return _redo(state, command)
        case Clear():
            return _change_to(state, command.seq, ())
        case RemoveObject():
            return _remove(state, command)
        case Release():
            return _release(state, command)
        case Everything():
            return questions.ask(state, command, _only_image(state))


# --- commands


def _open(state: State, command: OpenImage) -> Step:
    if state.phase is Phase.OPEN:
        raise AlreadyOpen("The session is open already.")
    opened = Opened(command.seq, state.session_id, state.model)
    video = None
    if isinstance(command, OpenVideo):
        if "propagate" not in state.model.capabilities.commands:
            raise NotOffered("This model follows nothing through a video.")
        video = Video()
    return replace(state, phase=Phase.OPEN, video=video), (Send(opened),)


def _set_image(state: State, read: ImageRead) -> Step:
    if state.video is not None:
        raise OtherSubject("The session is about a video, whose frames come one by one.")
    after = replace(
        state, image=Image(read.key, read.size), history=History(seq=read.seq), shown=()
    )
    after, withdrawn = _withdraw_pointless(after, by_seq=read.seq)
    after, unasked = questions.withdraw(after, lambda seq: SupersededBy(seq, read.seq))
    reply = ImageSet(read.seq, read.key, read.size, read.cache_hit, read.timings)
    return after, (*withdrawn, *unasked, Send(reply), Encode(state.session_id, read.key))


def _prompt(state: State, command: Prompt) -> Step:
    offered = state.model.capabilities
    _check_frame(state, command)
    sayings.check(command, _image(state).size, offered)
    there = {one.object_id for one in state.history.objects if one.rounds}
    # Where another one was followed to that had the id before is nothing to begin with.
    state = following.forgotten(state, {one.object_id for one in command.objects} - there)

    def start_of(object_id: int) -> Rle | None:
        known = following.start_of(state, command.frame or 0, object_id)
        return None if known is None else known.mask.rle

    objects = sayings.add(state.history.objects, command, offered.limits, start_of)
    history = state.history.changed(
        command.seq,
        objects,
        n_mask_pixels=sayings.n_mask_pixels(command),
        max_mask_pixels=offered.limits.max_mask_pixels,
    )
    after = replace(state, history=history)
    to_answer = tuple(one for one in objects if one.standing == command.seq)
    if not to_answer:
        return after, (Send(Done(command.seq)),)
    return _decode(after, _pending(state, command.seq, to_answer), to_answer)


def _choose(state: State, command: Choose) -> Step:
    _image(state)
    objects = sayings.choose(state.history.objects, command)
    limit = state.model.capabilities.limits.max_mask_pixels
    history = state.history.changed(command.seq, objects, n_mask_pixels=0, max_mask_pixels=limit)
    to_answer = tuple(one for one in objects if one.standing == command.seq)
    pending = _pending(state, command.seq, to_answer)
    after, withdrawn = _withdraw_pointless(replace(state, history=history), by_seq=command.seq)
    after, effects = _decode(after, pending, to_answer)
    return after, (*withdrawn, *effects)


def _undo(state: State, command: Undo) -> Step:
    _image(state)
    if not state.history.can_undo(command.object_id):
        raise NothingToUndo(f"There is nothing to undo{_of(command.object_id)}.")
    return _return_to(state, state.history.undone(command.seq, command.object_id))


def _redo(state: State, command: Redo) -> Step:
    _image(state)
    if not state.history.can_redo(command.object_id):
        raise NothingToRedo(f"There is nothing to redo{_of(command.object_id)}.")
    return _return_to(state, state.history.redone(command.seq, command.object_id))


def _of(object_id: int | None) -> str:
    return "" if object_id is None else f" of object {object_id}"


def _remove(state: State, command: RemoveObject) -> Step:
    _image(state)
    objects = state.history.objects
    kept = tuple(one for one in objects if one.object_id != command.object_id)
    if len(kept) == len(objects):
        raise UnknownObject(f"The session has no object {command.object_id}.")
    return _change_to(state, command.seq, kept)


def _stop(state: State, command: Stop) -> Step:
    _video(state)
    after, stopped = following.stop(state, Cancelled("Following was stopped."))
    return after, (*stopped, Send(Done(command.seq)))


def _release(state: State, command: Release) -> Step:
    gone = Cancelled("The session was released before this was answered.")
    after, unasked = questions.withdraw(state, lambda seq: Failed.of(seq, gone))
    after, stopped = following.stop(after, gone)
    effects: list[Effect] = [*stopped]
    for one in state.pending:
        if not one.failed:
            effects += (Withdraw(one.seq), Send(Failed.of(one.seq, gone)))
    after = replace(after, phase=Phase.OVER, image=None, history=History(), pending=(), shown=())
    return after, (*effects, *unasked, Send(Done(command.seq)), Forget())


def _change_to(state: State, seq: int, objects: Objects) -> Step:
    """Objects were forgotten, by Clear or RemoveObject."""
    _image(state)
    limit = state.model.capabilities.limits.max_mask_pixels
    history = state.history.changed(seq, objects, n_mask_pixels=0, max_mask_pixels=limit)
    left = {one.object_id for one in objects}
    gone = {one.object_id for one in state.history.objects} - left
    after, withdrawn = _withdraw_pointless(replace(state, history=history), by_seq=seq)
    return following.forgotten(after, gone), (*withdrawn, Send(Done(seq)))


def _return_to(state: State, history: History) -> Step:
    """Goes back or forth in history, and answers with the masks that stand differently now.

    One object's way can bring back what others have taken the room of since.
    """
    if len(history.objects) > len(state.history.objects):
        sayings.check_room(history.objects, state.model.capabilities.limits)
    before = {one.key: one.standing for one in state.history.objects if one.rounds}
    standing = [one for one in history.objects if one.rounds]
    changed = [one for one in standing if before.get(one.key) != one.standing]
    removed = sorted(before.keys() - {one.key for one in standing})
    # Of a video's frames that with the newest prompt is shown; what stands in others is known.
    newest = max(changed, key=lambda one: one.standing or 0, default=None)
    frame = newest.frame if newest is not None else next((key[0] for key in removed), 0)
    to_answer = tuple(one for one in changed if one.frame == frame)
    here = tuple(key for key in removed if key[0] == frame)
    pending = _pending(state, history.seq, to_answer, here, goes_back=True)
    after, withdrawn = _withdraw_pointless(replace(state, history=history), by_seq=history.seq)
    if not to_answer:
        return after, (*withdrawn, Send(_without_masks(after, pending)))
    after, effects = _decode(after, pending, to_answer)
    return after, (*withdrawn, *effects)


def _image(state: State) -> Image:
    if state.image is None:
        raise NoImage("The session has no image yet.")
    return state.image


def _only_image(state: State) -> Image:
    if state.video is not None:
        raise OtherSubject("The session is about a video.")
    return _image(state)


def _video(state: State) -> Video:
    if state.video is None:
        raise OtherSubject("The session is about an image, which has no frames.")
    return state.video


def _check_frame(state: State, command: Prompt) -> None:
    if state.video is None:
        if command.frame is not None:
            raise OtherSubject("The session is about an image, which has no frames.")
    elif command.frame is None:
        raise InvalidValue("The prompt does not say which frame of the video it is about (frame=).")
    else:
        following.check_frame(state.video, command.frame)


def _key_of(state: State, frame: int) -> str:
    return _image(state).key if state.video is None else state.video.frames[frame]


# --- decodes


def _pending(
    state: State,
    seq: int,
    to_answer: Objects,
    removed: tuple[Key, ...] = (),
    *,
    goes_back: bool = False,
) -> Pending:
    answers = tuple((one.key, one.rounds[-1].seq) for one in to_answer)
    return Pending(seq, answers, removed, before=state.history, goes_back=goes_back)


def _decode(state: State, pending: Pending, to_answer: Objects) -> Step:
    work = Decode(
        state.session_id,
        pending.seq,
        _key_of(state, pending.frame),
        tuple(one.to_answer() for one in to_answer),
        frame=pending.frame,
    )
    return replace(state, pending=(*state.pending, pending)), (work,)


def _withdraw_pointless(state: State, *, by_seq: int) -> Step:
    """Answers commands whose Decode would tell only of rounds that stand no more."""
    rounds = {one.key: one for one in state.history.objects}
    kept: list[Pending] = []
    effects: list[Effect] = []
    for pending in state.pending:
        if pending.failed or any(_stands(rounds, *answer) for answer in pending.answers):
            kept.append(pending)
            continue
        reply = SupersededBy(pending.seq, by_seq)
        # What it removed is told by no other reply.
        effects += (
            Withdraw(pending.seq),
            Send(_without_masks(state, pending) if pending.removed else reply),
        )
    return replace(state, pending=_worth_keeping(kept)), tuple(effects)


def _stands(objects: dict[Key, ObjectState], key: Key, seq: int) -> bool:
    return key in objects and objects[key].place_of(seq) is not None


# --- outcomes


def _end(state: State, outcome: Outcome) -> Step:
    """The Decode of a command ended; what has been answered otherwise needs no second answer."""
    if isinstance(outcome, SegmentsReady | Followed):
        return state, ()
    seq = outcome.work.seq if isinstance(outcome, MasksReady) else outcome.seq
    pending = next((one for one in state.pending if one.seq == seq and not one.failed), None)
    if pending is None:
        return state, ()
    match outcome:
        case MasksReady():
            return _masks_ready(state, pending, outcome)
        case SupersededBy():
            return _superseded(state, pending, outcome)
        case Failed():
            return _failed(state, pending, outcome)


def _masks_ready(state: State, pending: Pending, ready: MasksReady) -> Step:
    offered = {mask.object_id: len(mask.hypotheses) for mask in ready.masks}
    for one in ready.work.objects:
        state = _adopt(state, _offering(one, offered.get(one.object_id, 0)))
    history = state.history
    by_key = {one.key: one for one in history.objects}
    stands = {key[1]: _stands(by_key, key, seq) for key, seq in pending.answers}
    masks = tuple(mask for mask in ready.masks if stands.get(mask.object_id))
    shown = dict(state.shown)
    if pending.goes_back or _is_choice(ready):
        masks = tuple(
            _changed_since(mask, shown.get((pending.frame, mask.object_id))) for mask in masks
        )
    reply = Masks(
        pending.seq,
        objects=masks,
        removed_object_ids=_gone(history, pending),
        timings=ready.timings,
        cache_hit=ready.cache_hit,
        model_id=state.model.model_id,
        frame=None if state.video is None else pending.frame,
    )
    shown.update(((pending.frame, mask.object_id), mask.box) for mask in masks)
    still_there = tuple(pair for pair in shown.items() if pair[0] in by_key)
    # What failed before this one is counted in by it, and can't be taken back any more.
    others = (one for one in state.pending if not (one.failed and one.seq < pending.seq))
    still = _worth_keeping(one for one in others if one.seq != pending.seq)
    after = replace(state, pending=still, shown=still_there)
    marks = {key[1]: seq for key, seq in pending.answers}
    news = (
        Known(pending.frame, replace(mask, hypotheses=()), marks[mask.object_id]) for mask in masks
    )
    return following.learned(after, news), (Send(reply),)


def _is_choice(ready: MasksReady) -> bool:
    return any(one.rounds[-1].choice is not None for one in ready.work.objects)


def _offering(used: ObjectRounds, n_hypotheses: int) -> ObjectRounds:
    """The rounds with what was sent for the last; one that was sent before can still be chosen."""
    last = used.rounds[-1]
    if not n_hypotheses or last.n_offered == n_hypotheses:
        return used
    return replace(used, rounds=(*used.rounds[:-1], replace(last, n_offered=n_hypotheses)))


def _changed_since(mask: ObjectMask, before: Box | None) -> ObjectMask:
    """What changed on the way back or forth, at most: the engine compared with another round."""
    boxes = [box for box in (before, mask.box) if box is not None]
    if not boxes:
        return replace(mask, changed=None)
    around = Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )
    return replace(mask, changed=around)


def _adopt(state: State, used: ObjectRounds) -> State:
    """Makes the rounds that the engine really used the chain of the answered round."""
    answered = used.rounds[-1].seq
    same = (one for one in state.history.objects if one.object_id == used.object_id)
    if any(one.settled and one.rounds == used.rounds for one in same):
        return state  # all took it up when its mask was shown first

    def rewrite(one: ObjectState) -> ObjectState:
        place = one.place_of(answered) if one.object_id == used.object_id else None
        if place is None:
            return one
        later = one.rounds[place + 1 :]
        if one.settled and (later or one.rounds == used.rounds):
            return one
        return replace(one, rounds=(*used.rounds, *later), settled=not later)

    return state.since(answered, rewrite)


def _superseded(state: State, pending: Pending, outcome: SupersededBy) -> Step:
    """What was said stays, and its round drops out of the chains of later ones.

    Not so a choice: later rounds take up what was chosen, as `ObjectRounds.without` has it.
    """
    keys = {key for key, _ in pending.answers}

    def rewrite(one: ObjectState) -> ObjectState:
        place = one.place_of(pending.seq) if one.key in keys else None
        if place is None or one.settled or place == len(one.rounds) - 1:
            return one
        if one.rounds[place].choice is not None:
            return one
        return replace(one, rounds=one.rounds[:place] + one.rounds[place + 1 :])

    left = tuple(one for one in state.pending if one is not pending)
    after = replace(state, pending=_worth_keeping(left)).since(pending.seq, rewrite)
    reply = _without_masks(state, pending) if pending.removed else outcome
    return after, (Send(reply),)


def _failed(state: State, pending: Pending, outcome: Failed) -> Step:
    """Takes back what the command did, at once or when nothing newer rests on it any more."""
    others = tuple(one for one in state.pending if one is not pending)
    failed = replace(pending, failed=True)
    after = replace(state, pending=tuple(sorted((*others, failed), key=lambda one: one.seq)))
    while newest := _failed_newest(after):
        after = replace(
            after,
            history=newest.before,
            pending=tuple(one for one in after.pending if one is not newest),
        )
    after = replace(after, pending=_worth_keeping(after.pending))
    return after, (Send(outcome),)


def _worth_keeping(pending: Iterable[Pending]) -> tuple[Pending, ...]:
    """Without the failed ones that no newer failure could uncover any more."""
    kept = tuple(pending)
    newest = max((one.seq for one in kept if not one.failed), default=0)
    return tuple(one for one in kept if not one.failed or one.seq < newest)


def _failed_newest(state: State) -> Pending | None:
    """The failed command that made the objects what they are, if one did."""
    return next((one for one in state.pending if one.failed and one.seq == state.history.seq), None)


def _without_masks(state: State, pending: Pending) -> Masks:
    gone = _gone(state.history, pending)
    frame = None if state.video is None else pending.frame
    return Masks(pending.seq, (), gone, model_id=state.model.model_id, frame=frame)


def _gone(history: History, pending: Pending) -> tuple[int, ...]:
    """Objects that lost their mask by the command, and have got no other since."""
    standing = {one.key for one in history.objects if one.rounds}
    return tuple(key[1] for key in pending.removed if key not in standing)
