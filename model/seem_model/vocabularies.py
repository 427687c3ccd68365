"""Class names as unit vectors of the joint space: what a published model labels masks with.

A name is said in many templates, each is embedded, and their mean stands for the name (CLIP,
section 3.1.4). The result depends on the weights alone, so it is made once for a checkpoint.

V names · C joint space · T tokens
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from seem_model.clip_text import LanguageEncoder

_THINGS = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""
_STUFF = """
banner, blanket, bridge, cardboard, counter, curtain, door-stuff, floor-wood, flower, fruit, gravel,
house, light, mirror-stuff, net, pillow, platform, playingfield, railroad, river, road, roof, sand,
sea, shelf, snow, stairs, tent, towel, wall-brick, wall-stone, wall-tile, wall-wood, water-other,
window-blind, window-other, tree-merged, fence-merged, ceiling-merged, sky-other-merged,
cabinet-merged, table-merged, floor-other-merged, pavement-merged, mountain-merged, grass-merged,
dirt-merged, paper-merged, food-other-merged, building-other-merged, rock-merged, wall-other-merged,
rug-merged
"""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(","))


COCO_PANOPTIC = _listed(_THINGS) + _listed(_STUFF)
"""The 133 classes of COCO's panoptic task, things first, in the order of the published models."""

N_THINGS = 80
BACKGROUND = "background"
"""The class after the last: what is none of the others."""

TEMPLATES = (
    *(Path(__file__).parent / "clip" / "imagenet_templates.txt").read_text("utf-8").splitlines(),
    "{}.",
)
"""CLIP's 80 for ImageNet, and the name alone."""

BATCH_TOKENS = 1024
EPSILON = 1e-7
_NO_PART_OF_A_NAME = ("-other", "-merged", "-stuff")


class Encodes(Protocol):
    """A tokenizer of texts."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, from its start to its end."""
        ...


def spoken(name: str) -> str:
    """A class name without what COCO added to tell stuff apart: sky-other-merged is sky."""
    for part in _NO_PART_OF_A_NAME:
        name = name.replace(part, "")
    return name


def embed_names(
    encoder: LanguageEncoder,
    tokenizer: Encodes,
    names: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Unit rows (V, C), one a name: the mean of its templates' unit embeddings.

    `progress` is told how many texts are done, and of how many, after each batch.
    """
    texts = [template.format(spoken(name)) for name in names for template in templates]
    sentences = embed_texts(encoder, tokenizer, texts, progress)  # (V * templates, C)
    unit = sentences / (sentences.norm(dim=-1, keepdim=True) + EPSILON)
    mean = unit.unflatten(0, (len(names), len(templates))).mean(1)
    rows: npt.NDArray[np.float32] = (mean / mean.norm(dim=-1, keepdim=True)).float().cpu().numpy()
    return rows


@torch.inference_mode()
def embed_texts(
    encoder: LanguageEncoder,
    tokenizer: Encodes,
    texts: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Sentences (texts, C) on the encoder's device, not normalised.

    Texts of one length go together, so that nothing is padded.
    """
    ids = tokenizer.encode(texts)
    first = encoder.lang_proj
    sentences = torch.empty(len(texts), first.shape[1], dtype=first.dtype, device=first.device)
    done = 0
    for places in _alike(ids):
        batch = torch.tensor([ids[place] for place in places], device=first.device)
        sentences[places] = encoder.sentence(batch)
        done += len(places)
        if progress is not None:
            progress(done, len(texts))
    return sentences


def _alike(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts with equally many ids, as many as make up BATCH_TOKENS."""
    places = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    for n_tokens, group in groupby(places, key=lambda place: len(ids[place])):
        alike, size = list(group), max(1, BATCH_TOKENS // n_tokens)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))
