"""Which learned queries should answer marks, where the published v1 program draws three at random?

    python -m seem_model.evaluate rows CHECKPOINT --variant focalt_v1 --images FOLDER

Clicks on a lattice over every picture are answered by many random draws of three rows (the
published program, which says something else each time) and by each candidate in its place: three
rows spread evenly, the three of those draws that agreed best with the others on half of the
clicks, and all rows. For each: the mean IoU of its masks with those of the draws, on the clicks
that were not used to pick, and what a click costs beside three rows, timed in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from seem_model.checkpoint import load_model
from seem_model.evaluate.framing import Framing, Rounding, frame
from seem_model.published import BY_MARKS, prompts_of_nothing
from seem_model.published_bundle import FIXED_ROWS_OF_V1, SERVED_SIZE
from seem_model.variants import Resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_model.published import PublishedSeem, QueryFeatures, QueryPrompts

QUERIES_OF_A_DRAW = 3
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})

Click = tuple[int, int]
Rows = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One choice of rows. agreement: mean IoU with the draws; cost: of a click, to three rows'."""

    name: str
    rows: Rows
    agreement: float
    cost: float


@dataclass(frozen=True, slots=True)
class Study:
    """What was found. among_draws: mean IoU of the random draws with each other."""

    n_clicks: int
    n_draws: int
    among_draws: float
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Clicked:
    """One click on one picture; `masks` (draws, h4 * w4) bool, what the draws answered."""

    features: QueryFeatures
    click: Click
    masks: Tensor

    def agreement(self, mask: Tensor) -> Tensor:
        """IoU of `mask` (h4 * w4) with each draw's."""
        both = (self.masks & mask).sum(1)
        either = (self.masks | mask).sum(1)
        return torch.where(either > 0, both / either.clamp(min=1), 1.0)


@torch.inference_mode()
def study_rows(
    model: PublishedSeem, pictures: Sequence[Tensor], *, n_draws: int, side: int, seed: int
) -> Study:
    """Compares choices of rows on pictures (1, 3, H, W), with side * side clicks on each."""
    rng = np.random.default_rng(seed)
    n_rows = model.variant.sizes.object_queries
    draws = [tuple(map(int, rng.integers(n_rows, size=QUERIES_OF_A_DRAW))) for _ in range(n_draws)]
    clicked = []
    for picture in tqdm(pictures, desc="pictures", unit="picture", file=sys.stderr):
        features = model.encode(picture)
        for click in _lattice(picture, side):
            masks = [_mask(model, features, click, rows) for rows in draws]
            clicked.append(_Clicked(features, click, torch.stack(masks)))
    picking, judging = clicked[::2], clicked[1::2]
    chosen = {
        "three, evenly spread": _scaled(FIXED_ROWS_OF_V1, n_rows),
        "three that agreed best": draws[_most_agreeable(picking)],
        "all": tuple(range(n_rows)),
    }
    seconds = _seconds(model, judging, list(chosen.values()))
    return Study(
        n_clicks=len(judging),
        n_draws=n_draws,
        among_draws=statistics.fmean(_among(one) for one in judging),
        candidates=tuple(
            Candidate(name, rows, _agreement(model, judging, rows), cost / seconds[0])
            for (name, rows), cost in zip(chosen.items(), seconds, strict=True)
        ),
    )


def _mask(model: PublishedSeem, features: QueryFeatures, click: Click, rows: Rows) -> Tensor:
    """(h4 * w4) bool: what these rows answer to a click, which is a pixel and its neighbours."""
    return model.decode(features, _prompts(model, features, click, rows)).mask_logits.flatten() > 0


def _prompts(
    model: PublishedSeem, features: QueryFeatures, click: Click, rows: Rows
) -> QueryPrompts:
    x, y = click
    around = [[float(x + dx), float(y + dy)] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    nothing = prompts_of_nothing(features, rows=torch.tensor(rows), sizes=model.variant.sizes)
    return nothing._replace(
        points=torch.tensor(around).expand(1, 1, 4, -1, 2),
        labels=torch.ones(1, 1, 4, len(around)),
        selector=torch.full((1, 1), BY_MARKS),
    )


def _lattice(picture: Tensor, side: int) -> list[Click]:
    height, width = picture.shape[-2:]
    places = [(i + 0.5) / side for i in range(side)]
    return [(int(x * width), int(y * height)) for y in places for x in places]


def _scaled(rows: Rows, n_rows: int) -> Rows:
    """Rows of 101 queries as rows of `n_rows`."""
    return tuple(row * n_rows // 101 for row in rows)


def _among(one: _Clicked) -> float:
    """Mean IoU of a click's draws with each other."""
    table = torch.stack([one.agreement(mask) for mask in one.masks])
    n_draws = len(table)
    return float((table.sum() - table.diagonal().sum()) / (n_draws * (n_draws - 1)))


def _most_agreeable(clicked: Sequence[_Clicked]) -> int:
    """The draw whose masks agree best with the other draws'."""
    agreement = [[float(one.agreement(mask).mean()) for mask in one.masks] for one in clicked]
    return int(np.mean(agreement, axis=0).argmax())


def _agreement(model: PublishedSeem, clicked: Sequence[_Clicked], rows: Rows) -> float:
    masks = [_mask(model, one.features, one.click, rows) for one in clicked]
    return statistics.fmean(
        float(one.agreement(mask).mean()) for one, mask in zip(clicked, masks, strict=True)
    )


def _seconds(
    model: PublishedSeem, clicked: Sequence[_Clicked], candidates: Sequence[Rows]
) -> list[float]:
    """Median seconds of a click for each choice, measured in turns."""
    taken: list[list[float]] = [[] for _ in candidates]
    for one in clicked:
        for seconds, rows in zip(taken, candidates, strict=True):
            prompts = _prompts(model, one.features, one.click, rows)
            started = time.perf_counter()
            model.decode(one.features, prompts)
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in taken]


def main(argv: Sequence[str]) -> int:
    """Reads the arguments, studies, prints; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.evaluate rows")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--images", type=Path, required=True, help="a folder of JPEG or PNG files")
    parser.add_argument("--draws", type=int, default=16, help="random draws to compare with")
    parser.add_argument("--clicks", type=int, default=3, help="clicks along each side of a picture")
    parser.add_argument("--short-side", type=int, default=SERVED_SIZE.short_side)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    files = sorted(f for f in arguments.images.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files or min(arguments.draws - 1, arguments.clicks) < 1:
        parser.error("there must be a picture, two draws and one click")
    model = load_model(arguments.checkpoint, arguments.variant)
    framing = Framing(
        Resize(arguments.short_side, 2 * arguments.short_side),
        Rounding.FLOOR,
        Image.Resampling.BICUBIC,
        model.variant.divisor,
    )
    study = study_rows(
        model,
        [_picture(file, framing) for file in files],
        n_draws=arguments.draws,
        side=arguments.clicks,
        seed=arguments.seed,
    )
    sys.stdout.write(json.dumps(_document(study)) + "\n" if arguments.json else _table(study))
    return 0


def _picture(file: Path, framing: Framing) -> Tensor:
    with Image.open(file) as image:
        return torch.from_numpy(frame(np.asarray(image.convert("RGB")), framing).values)[None]


def _document(study: Study) -> dict[str, Any]:
    return {
        "clicks": study.n_clicks,
        "draws": study.n_draws,
        "iou_among_draws": round(study.among_draws, 4),
        "candidates": [
            {
                "name": one.name,
                "rows": list(one.rows),
                "iou_with_draws": round(one.agreement, 4),
                "cost": round(one.cost, 2),
            }
            for one in study.candidates
        ],
    }


def _table(study: Study) -> str:
    lines = [
        f"{study.n_clicks} clicks, {study.n_draws} random draws of three rows",
        f"{'rows':<26}{'IoU with the draws':>20}{'cost of a click':>18}",
        f"{'the draws among themselves':<26}{study.among_draws:>20.3f}",
    ]
    lines += [f"{c.name:<26}{c.agreement:>20.3f}{c.cost:>17.2f}x" for c in study.candidates]
    return "\n".join(lines) + "\n"
