"""From crops to what the model takes: slots (who is asked for, and how) and prompt tensors.

B images · n slots an image · S crop size
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from seem_model.seem import Prompts
from seem_model.train import simulate
from seem_wire import pixels
from seem_wire.prompts import ObjectPrompt

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from seem_model.train.dataset import Crop
    from seem_model.train.vocabulary import Vocabulary

    Rng = np.random.Generator
    Mask = npt.NDArray[np.bool_]

TARGET_STEP = 2
"""Targets and errors live at half the crop's resolution."""

P_TEXT_SLOT = 0.18
P_ABSENT = 0.25
P_NAMED_CLICK = 0.15


@dataclass(slots=True)
class Slot:
    """One thing asked for: its true mask (S / 2, S / 2), what was said so far, its name."""

    target: Mask
    prompt: ObjectPrompt
    name: str | None
    present: bool = True


def make_slots(crop: Crop, n_slots: int, rng: Rng) -> list[Slot]:
    """`n_slots` things to ask of a crop, each with its first prompt."""
    slots = []
    for number in range(n_slots):
        if crop.named and rng.random() < P_TEXT_SLOT:
            slots.append(_text_slot(crop, rng))
        else:
            target = crop.targets[number % len(crop.targets)]
            slots.append(_visual_slot(target.mask, target.name, rng))
    return slots


def _text_slot(crop: Crop, rng: Rng) -> Slot:
    if crop.absent and rng.random() < P_ABSENT:
        name = crop.absent[rng.integers(len(crop.absent))]
        nothing = np.zeros_like(_halved(next(iter(crop.named.values()))))
        return Slot(nothing, ObjectPrompt(text=name), None, present=False)
    name = sorted(crop.named)[rng.integers(len(crop.named))]
    return Slot(_halved(crop.named[name]), ObjectPrompt(text=name), name)


def _visual_slot(mask: Mask, name: str | None, rng: Rng) -> Slot:
    target = _halved(mask)
    prompt = simulate.first_prompt(target, TARGET_STEP, rng)
    if name is not None and rng.random() < P_NAMED_CLICK:
        prompt = ObjectPrompt(prompt.points, prompt.box, prompt.scribbles, prompt.mask, name)
    return Slot(target, prompt, name)


def _halved(mask: Mask) -> Mask:
    """Half the resolution, by majority; never empty where the mask is not."""
    height, width = mask.shape
    share = mask.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    halved: Mask = share >= 0.5
    return halved if halved.any() else share > 0


def prompt_tensors(
    slots: list[list[Slot]],
    previous: Tensor | None,
    vocabulary: Vocabulary,
    rng: Rng,
) -> Prompts:
    """The prompts of B lists of n slots; `previous`: last logits, (B, n, S / 4, S / 4)."""
    height, width = (TARGET_STEP * side for side in slots[0][0].target.shape)
    frame = pixels.Frame(1.0, 1.0, height, width)
    drawn = [[pixels.rasterise(slot.prompt, frame) for slot in row] for row in slots]
    batch, n = len(slots), len(slots[0])
    n_points = max(1, *(len(entry.labels) for row in drawn for entry in row))
    points = np.zeros((batch, n, n_points, 2), np.float32)
    labels = np.full((batch, n, n_points), pixels.PADDING, np.float32)
    maps = np.stack([np.stack([entry.maps for entry in row]) for row in drawn])
    memory = np.zeros((batch, n, *frame.grid), np.float32)
    has_previous = np.zeros((batch, n), np.float32)
    for b, row in enumerate(drawn):
        for i, entry in enumerate(row):
            points[b, i, : len(entry.labels)] = entry.points
            labels[b, i, : len(entry.labels)] = entry.labels
            if entry.mask_logits is not None and previous is None:
                memory[b, i] = entry.mask_logits
                has_previous[b, i] = 1
    if previous is not None:
        memory, has_previous = previous.numpy(), np.ones_like(has_previous)
    texts = [[slot.prompt.text for slot in row] for row in slots]
    text, text_mask = vocabulary.states(texts, rng)
    return Prompts(
        torch.from_numpy(points),
        torch.from_numpy(labels),
        torch.from_numpy(maps),
        torch.from_numpy(memory),
        torch.from_numpy(has_previous),
        text,
        text_mask,
    )


def correct(slots: list[list[Slot]], logits: Tensor, rng: Rng) -> None:
    """Adds a correction of `logits` (B, n, S / 2, S / 2) to every slot whose thing is there."""
    predicted = (logits > 0).numpy()
    for b, row in enumerate(slots):
        for i, slot in enumerate(row):
            if slot.present:
                slot.prompt = simulate.corrected(
                    slot.prompt, slot.target, predicted[b, i], TARGET_STEP, rng
                )
