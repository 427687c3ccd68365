"""From crops to what the model takes: slots (who is asked for, and how) and prompt tensors.

B images · n slots an image · S crop size
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from seem_model.seem import Prompts
from seem_model.train import simulate
from seem_wire import pixels
from seem_wire.prompts import ObjectPrompt

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_model.train.dataset import Crop, CropDataset
    from seem_model.train.recipe import Recipe
    from seem_model.train.vocabulary import Vocabulary

    Rng = np.random.Generator
    Mask = npt.NDArray[np.bool_]

TARGET_STEP = 2
"""Targets and errors live at half the crop's resolution."""

P_TEXT_SLOT = 0.22
P_EXAMPLE_SLOT = 0.12
P_OWN_EXAMPLE = 0.2
P_ABSENT = 0.4
P_UNHEARD_OF = 0.3
P_NAMED_CLICK = 0.15


class Shown(NamedTuple):
    """An example: which crop of the batch shows it, and where, (S / 8, S / 8) shares."""

    crop: int
    where: npt.NDArray[np.float32]


@dataclass(slots=True)
class Slot:
    """One thing asked for: its true mask (S / 2, S / 2), what was said so far, its name."""

    target: Mask
    prompt: ObjectPrompt
    name: str | None
    present: bool = True
    example: Shown | None = None

    @property
    def is_ambiguous(self) -> bool:
        """Whether one positive click is all that was said."""
        said = self.prompt
        others = said.box or said.scribbles or said.mask or said.text
        outlines = said.negative_boxes or said.lassos or self.example
        return len(said.points) == 1 and said.points[0].positive and not (others or outlines)


class Batch(NamedTuple):
    """A step's crops and what is asked of them.

    image: (B, S, S, 3) uint8. target: (B, n, S / 2, S / 2) bool, the slots' masks. labels:
    (B, S / 8, S / 8) int16, `Crop.labels`. sources: where each crop comes from.
    """

    image: Tensor
    target: Tensor
    labels: Tensor
    sources: tuple[str, ...]
    slots: list[list[Slot]]


class Batches(Dataset[Batch]):
    """What each step of a run takes, by its number: the work of the loading processes.

    `rank` of the `CropDataset`'s `together` crops of a step takes its own `images_per_step`.
    """

    def __init__(
        self, crops: CropDataset, recipe: Recipe, unheard_of: list[str], rank: int = 0
    ) -> None:
        self.crops, self.recipe, self.rank = crops, recipe, rank
        self.unheard_of = unheard_of

    def __len__(self) -> int:
        return self.crops.length // self.crops.together

    def __getitem__(self, step: int) -> Batch:
        count = self.recipe.images_per_step
        first = step * self.crops.together + self.rank * count
        rng = np.random.default_rng([self.recipe.seed, 3, step, self.rank])
        crops = [self.crops[index] for index in range(first, first + count)]
        return make_batch(crops, self.recipe.slots_per_image, rng, self.unheard_of)


def make_batch(crops: list[Crop], n_slots: int, rng: Rng, unheard_of: list[str]) -> Batch:
    """Crops of one size, with `n_slots` things to ask of each (`make_slots`)."""
    slots = make_slots(crops, n_slots, rng, unheard_of)
    target = torch.from_numpy(np.stack([np.stack([slot.target for slot in row]) for row in slots]))
    return Batch(
        torch.from_numpy(np.stack([crop.image for crop in crops])),
        target,
        torch.from_numpy(np.stack([crop.labels for crop in crops])),
        tuple(crop.source for crop in crops),
        slots,
    )


def make_slots(
    crops: list[Crop], n_slots: int, rng: Rng, unheard_of: list[str]
) -> list[list[Slot]]:
    """`n_slots` things to ask of each crop, each with its first prompt.

    `unheard_of`: names that no crop is known to show.
    """
    return [
        [_slot(crops, index, number, rng, unheard_of) for number in range(n_slots)]
        for index in range(len(crops))
    ]


def _slot(crops: list[Crop], index: int, number: int, rng: Rng, unheard_of: list[str]) -> Slot:
    crop = crops[index]
    kind = rng.random()
    if crop.named and kind < P_TEXT_SLOT:
        return _text_slot(crop, rng, unheard_of)
    if crop.named and kind < P_TEXT_SLOT + P_EXAMPLE_SLOT:
        slot = _example_slot(crops, index, rng)
        if slot is not None:
            return slot
    target = crop.targets[number % len(crop.targets)]
    return _visual_slot(target.mask, target.name, rng)


def _text_slot(crop: Crop, rng: Rng, unheard_of: list[str]) -> Slot:
    if rng.random() < P_ABSENT:
        nowhere = rng.random() < P_UNHEARD_OF or not crop.absent
        absent = unheard_of if nowhere else crop.absent
        if absent:
            name = absent[rng.integers(len(absent))]
            nothing = np.zeros_like(_halved(next(iter(crop.named.values()))))
            return Slot(nothing, ObjectPrompt(text=name), None, present=False)
    name = sorted(crop.named)[rng.integers(len(crop.named))]
    return Slot(_halved(crop.named[name]), ObjectPrompt(text=name), name)


def _example_slot(crops: list[Crop], index: int, rng: Rng) -> Slot | None:
    """A thing shown in the other crop of the pair, or an instance of it in this one."""
    crop, other = crops[index], index ^ 1
    shared = sorted(set(crop.named) & set(crops[other].named)) if other < len(crops) else []
    if not shared or rng.random() < P_OWN_EXAMPLE:
        own = [target for target in crop.targets if target.name in crop.named]
        if not own:
            return None
        seen = own[rng.integers(len(own))]
        name, shown = str(seen.name), Shown(index, _eighth(seen.mask))
    else:
        name = shared[rng.integers(len(shared))]
        shown = Shown(other, _eighth(crops[other].named[name]))
    return Slot(_halved(crop.named[name]), ObjectPrompt(), name, example=shown)


def _eighth(mask: Mask) -> npt.NDArray[np.float32]:
    """The share of each cell of 8 x 8 pixels that the mask covers."""
    height, width = mask.shape
    share = mask.reshape(height // 8, 8, width // 8, 8).mean((1, 3))
    eighth: npt.NDArray[np.float32] = share.astype(np.float32)
    return eighth


def _visual_slot(mask: Mask, name: str | None, rng: Rng) -> Slot:
    target = _halved(mask)
    prompt = simulate.first_prompt(target, TARGET_STEP, rng)
    if name is not None and rng.random() < P_NAMED_CLICK:
        prompt = replace(prompt, text=name)
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
    meanings: Tensor,
) -> Prompts:
    """The prompts of B lists of n slots; `previous`: last logits, (B, n, S / 4, S / 4).

    `meanings`: (B, C, S / 8, S / 8), of the places of each crop.
    """
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
        memory, has_previous = previous.cpu().numpy(), np.ones_like(has_previous)
    texts = [[slot.prompt.text for slot in row] for row in slots]
    text, text_mask = vocabulary.states(texts, rng)
    example, has_example = _examples(slots, meanings)
    prompts = Prompts(
        torch.from_numpy(points),
        torch.from_numpy(labels),
        torch.from_numpy(maps),
        torch.from_numpy(memory),
        torch.from_numpy(has_previous),
        text,
        text_mask,
        example,
        has_example,
    )
    return Prompts(*(tensor.to(meanings.device) for tensor in prompts))


def _examples(slots: list[list[Slot]], meanings: Tensor) -> tuple[Tensor, Tensor]:
    """What the shown places mean on the whole: (B, n, C) of unit length; whether any are shown."""
    flat = [slot for row in slots for slot in row]
    vectors = meanings.new_zeros(len(flat), meanings.shape[1])
    shown = [(i, slot.example) for i, slot in enumerate(flat) if slot.example is not None]
    if shown:
        where = torch.from_numpy(np.stack([example.where for _, example in shown]))
        where = where.to(meanings.device)
        seen = meanings[[example.crop for _, example in shown]]  # (k, C, h8, w8)
        mean = torch.einsum("kchw,khw->kc", seen.float(), where)
        rows = torch.tensor([i for i, _ in shown], device=meanings.device)
        vectors = vectors.float().index_copy(0, rows, functional.normalize(mean, dim=1, eps=1e-6))
    shape = (len(slots), len(slots[0]))
    has_example = torch.tensor([float(slot.example is not None) for slot in flat])
    return vectors.reshape(*shape, -1), has_example.reshape(shape)


def correct(slots: list[list[Slot]], logits: Tensor, rng: Rng) -> None:
    """Adds a correction of `logits` (B, n, S / 2, S / 2) to every slot whose thing is there."""
    predicted = (logits > 0).cpu().numpy()
    for b, row in enumerate(slots):
        for i, slot in enumerate(row):
            if slot.present:
                slot.prompt = simulate.corrected(
                    slot.prompt, slot.target, predicted[b, i], TARGET_STEP, rng
                )
