"""How sayings about an object add up, and whether they may be said at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seem_server.engine.work import Round
from seem_server.session.history import ObjectState
from seem_wire.errors import (
    LimitExceeded,
    NothingToChoose,
    NotOffered,
    OnlyNegativePrompts,
    UnknownObject,
)
from seem_wire.types import PromptedObject, PromptKind
from seem_wire.validate import check_fits, check_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from seem_server.session.history import Objects
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.rle import Rle
    from seem_wire.types import Capabilities, Choose, Limits, Prompt

    Mask = npt.NDArray[np.bool_]

MAX_ROUNDS = 1000
"""Longest chain of predictions of one object: what an evicted mask costs to make again."""


def check(command: Prompt, size: tuple[int, int], offered: Capabilities) -> None:
    """Checks a prompt against the image's (height, width) and what is offered.

    Raises:
        NotOffered: The model does not take prompts of this kind.
        BadPrompt: See `seem_wire.validate.check_fits`.
    """
    check_kinds(command, offered)
    for one in command.objects:
        check_fits(one.prompt, size)


def check_kinds(command: Prompt, offered: Capabilities) -> None:
    """Raises NotOffered where the model does not take prompts of a kind that `command` uses."""
    for one in command.objects:
        missing = sorted(set(_kinds(one)) - offered.prompts)
        if missing:
            takes = ", ".join(sorted(offered.prompts))
            raise NotOffered(f"This model takes no {missing[0]} prompts; it takes {takes}.")


def add(
    objects: Objects,
    command: Prompt,
    limits: Limits,
    start_of: Callable[[int], Rle | None] = lambda _: None,
) -> Objects:
    """The objects after a prompt: all that it says, and the rounds that it makes.

    A prompt that predicts makes a round for each object that it names, and for each that was
    queued before in the same frame and has a positive prompt. `start_of` gives the mask that an
    object has there before anything is said, if it has one.

    Raises:
        OnlyNegativePrompts: A round is asked for an object that is told only where it is not.
        LimitExceeded: There would be too many objects, points, rounds or mask pixels.
    """
    by_key = {one.key: one for one in objects}
    frame = command.frame or 0
    for place, said in enumerate(command.objects):
        before = by_key.get((frame, said.object_id)) or ObjectState(
            said.object_id,
            since=(command.seq, place),
            frame=frame,
            start=start_of(said.object_id),
        )
        prompt = _together(before.said, said.prompt)
        by_key[before.key] = replace(before, said=prompt, queued=True)
        _check_limit(f"points for object {said.object_id}", prompt.n_points, limits.max_points)
        check_regions(prompt)
    after = tuple(by_key.values())
    check_room(after, limits, masks=n_mask_pixels(command) > 0)
    return _predicted(after, command) if command.predict else after


def check_room(objects: Objects, limits: Limits, *, masks: bool = True) -> None:
    """Raises LimitExceeded where these are too many objects, or `masks` of too many pixels."""
    _check_limit("objects", len({one.object_id for one in objects}), limits.max_objects)
    if masks:
        _check_limit("mask pixels", _n_mask_pixels_of(objects), limits.max_mask_pixels)


def choose(objects: Objects, command: Choose) -> Objects:
    """The objects after one's last round was done again, by the hypothesis that was meant.

    Raises:
        UnknownObject: The session has no such object.
        NothingToChoose: Its last round was not answered with such a hypothesis.
    """
    named = (one for one in objects if one.object_id == command.object_id)
    chosen = max(named, key=lambda one: one.standing or 0, default=None)  # of all its frames
    if chosen is None:
        raise UnknownObject(f"The session has no object {command.object_id}.")
    n_offered = chosen.rounds[-1].n_offered if chosen.rounds else 0
    if command.hypothesis >= n_offered:
        raise NothingToChoose(
            f"The last prompt about object {command.object_id} was answered with "
            f"{_counted(n_offered)}; there is no number {command.hypothesis}, counted from 0."
        )
    again = replace(
        chosen.rounds[-1],
        seq=command.seq,
        choice=command.hypothesis,
        wants_hypotheses=False,  # the list that one chooses from stays the one that was sent
    )
    after = replace(chosen, rounds=(*chosen.rounds[:-1], again), settled=False)
    return tuple(after if one is chosen else one for one in objects)


def _counted(n_offered: int) -> str:
    return "one hypothesis" if n_offered == 1 else f"{n_offered} hypotheses"


def n_mask_pixels(command: Prompt) -> int:
    """How many pixels the masks of a prompt have together, those of examples among them."""
    return sum(mask.size for one in command.objects for mask in _masks(one.prompt))


def _predicted(objects: Objects, command: Prompt) -> Objects:
    frame = command.frame or 0
    named = {(frame, one.object_id) for one in command.objects}
    for one in objects:
        if one.key in named and not one.is_positive:
            raise OnlyNegativePrompts(f"Object {one.object_id} has only negative prompts so far.")
    return tuple(
        _with_round(one, command) if one.queued and one.is_positive and one.frame == frame else one
        for one in objects
    )


def _with_round(one: ObjectState, command: Prompt) -> ObjectState:
    # What is followed through a video is known by its mask, to the pixel.
    only_mask = replace(one.said, mask=None).is_empty and not one.rounds
    last = Round(
        command.seq,
        one.said,
        wants_hypotheses=command.hypotheses,
        as_given=command.frame is not None and only_mask and one.said.mask is not None,
    )
    rounds = (*one.rounds, last)
    _check_limit(f"predictions of object {one.object_id}", len(rounds), MAX_ROUNDS)
    return replace(one, rounds=rounds, queued=False, settled=False)


def _together(before: ObjectPrompt, said: ObjectPrompt) -> ObjectPrompt:
    """What there can be many of adds up; anything else takes the place of the earlier one."""
    return replace(
        before,
        points=before.points + said.points,
        scribbles=before.scribbles + said.scribbles,
        box=said.box or before.box,
        mask=said.mask or before.mask,
        text=said.text or before.text,
        example=said.example or before.example,
        negative_boxes=before.negative_boxes + said.negative_boxes,
        lassos=before.lassos + said.lassos,
    )


def _kinds(one: PromptedObject) -> Iterator[PromptKind]:
    prompt = one.prompt
    given = {
        PromptKind.POINT: prompt.points,
        PromptKind.BOX: prompt.box or prompt.negative_boxes,
        PromptKind.SCRIBBLE: prompt.scribbles,
        PromptKind.LASSO: prompt.lassos,
        PromptKind.MASK: prompt.mask,
        PromptKind.TEXT: prompt.text,
        PromptKind.EXAMPLE: prompt.example or one.example,
    }
    return (kind for kind, value in given.items() if value)


def _n_mask_pixels_of(objects: Objects) -> int:
    """Pixels of the masks that the objects hold, each counted once."""
    held: dict[int, Mask] = {}
    for one in objects:
        for prompt in (one.said, *(entry.prompt for entry in one.rounds)):
            held.update((id(mask), mask) for mask in _masks(prompt))
    return sum(mask.size for mask in held.values())


def _masks(prompt: ObjectPrompt) -> Iterator[Mask]:
    if prompt.mask is not None:
        yield prompt.mask.mask
    if prompt.example is not None:
        yield prompt.example.mask


def _check_limit(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitExceeded(f"The session would hold {count} {what}; this server takes {limit}.")
