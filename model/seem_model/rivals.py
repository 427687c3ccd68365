"""Other programs that cut things out of pictures, to be timed: `python -m seem_model.rivals NAME`.

Each runs in a process of its own. It reads one JSON document a line and answers with one:

    {"image": FILE, "clicks": [[x, y, positive], …]}    a new picture, and clicks on one object
    {"clicks": [[x, y, positive], …]}                   all clicks on it until now
    -> {"ms": …, "counts": …}                           the mask, as compressed run lengths

The time is of the work alone, from pixels to a mask of the picture's size.

reference   a published SEEM model as its program has it: every click encodes the picture again
sam, sam2, edgetam   of `transformers`, in their usual sizes, with random weights: times do not know

H, W picture
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from seem_model.checkpoint import load_variant
from seem_model.evaluate.published_predictor import PublishedPredictor
from seem_model.published import PublishedSeem
from seem_model.published_bundle import FIXED_ROWS_OF_V1, SERVED_SIZE
from seem_model.variants import VARIANTS, Wiring
from seem_wire import rle
from seem_wire.pixels import rasterise_pixels
from seem_wire.prompts import ObjectPrompt, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Rgb = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

SAM_SIDE = 1024
"""All of SAM's kin see a picture of this side."""

_SAM_MEAN, _SAM_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Rival(Protocol):
    """A program that cuts one thing out of a picture."""

    def open(self, image: Rgb) -> None:
        """Takes a picture (H, W, 3)."""

    def click(self, points: Sequence[Point]) -> Mask:
        """The mask (H, W) after all `points` on one object."""


class ReferenceProgram:
    """A published SEEM model whose program keeps no features: a click begins with the picture."""

    def __init__(self, predictor: PublishedPredictor) -> None:
        self._predictor = predictor
        self._image: Rgb = np.zeros((1, 1, 3), np.uint8)

    def open(self, image: Rgb) -> None:
        """Takes a picture."""
        self._image = image

    def click(self, points: Sequence[Point]) -> Mask:
        """The mask of all points, said at once."""
        picture = self._predictor.clicking(self._image)
        sets = rasterise_pixels(ObjectPrompt(points=tuple(points)), picture.frame)
        maps = np.zeros((2, 1, picture.frame.height, picture.frame.width), np.bool_)
        for sign, pixels in enumerate((sets.positive, sets.negative)):
            maps[sign, 0, pixels[:, 1], pixels[:, 0]] = True
        return picture.answer(*maps).original[0]


class SamLike:
    """A model of SAM's kin out of `transformers`, which keeps an image's embeddings."""

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self._size = (1, 1)
        self._embeddings: Any = None

    @torch.inference_mode()
    def open(self, image: Rgb) -> None:
        """Resizes, normalises, pads and encodes a picture."""
        self._size = image.shape[:2]
        height, width = self._scaled()
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        mean, std = (np.array(one, np.float32) for one in (_SAM_MEAN, _SAM_STD))
        values = (np.asarray(resized, np.float32) - mean) / std
        padding = [(0, SAM_SIDE - height), (0, SAM_SIDE - width), (0, 0)]
        padded = np.pad(values, padding).transpose(2, 0, 1)[None]
        pixels = torch.from_numpy(np.ascontiguousarray(padded))
        self._embeddings = self._model.get_image_embeddings(pixels)

    @torch.inference_mode()
    def click(self, points: Sequence[Point]) -> Mask:
        """The mask of all points, at the picture's size."""
        height, width = self._scaled()
        scale = torch.tensor([width / self._size[1], height / self._size[0]])
        places = torch.tensor([[p.x, p.y] for p in points]) * scale
        labels = torch.tensor([int(p.positive) for p in points])
        answer = self._model(
            image_embeddings=self._embeddings,
            input_points=places[None, None],
            input_labels=labels[None, None],
            multimask_output=False,
        )
        logits = answer.pred_masks[0]  # (1, 1, h, w)
        whole = functional.interpolate(logits, (SAM_SIDE, SAM_SIDE), mode="bilinear")
        shown = functional.interpolate(whole[..., :height, :width], self._size, mode="bilinear")
        mask: Mask = (shown[0, 0] > 0).numpy()
        return mask

    def _scaled(self) -> tuple[int, int]:
        scale = SAM_SIDE / max(self._size)
        return round(self._size[0] * scale), round(self._size[1] * scale)


def open_reference(checkpoint: str, variant: str | None) -> Rival:
    """The reference program with a checkpoint's weights, at the size that bundles are served at."""
    name, state = load_variant(Path(checkpoint), variant)
    served = replace(VARIANTS[name], interactive=SERVED_SIZE)
    model = PublishedSeem(served)
    model.load_state_dict(state)
    rows = FIXED_ROWS_OF_V1 if served.wiring is Wiring.V1 else None
    return ReferenceProgram(PublishedPredictor(model, _Speechless(), query_rows=rows))


class _Speechless:
    """Stands where a tokenizer belongs: nobody speaks here."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Raises."""
        raise NotImplementedError(f"Only clicks are timed, not {texts}.")


def open_sam(name: str) -> Rival:
    """A model of SAM's kin with random weights."""
    import transformers  # noqa: PLC0415  (seconds, which the reference need not wait)

    configs = {"sam": "SamConfig", "sam2": "Sam2Config", "edgetam": "EdgeTamConfig"}
    kind = configs[name].removesuffix("Config")
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")()
    return SamLike(getattr(transformers, f"{kind}Model")(config))


def serve(rival: Rival, lines: Iterable[str], write: Callable[[str], object]) -> None:
    """Answers each line."""
    for line in lines:
        said = json.loads(line)
        image = _read(said["image"]) if "image" in said else None
        points = [Point(x, y, positive=positive) for x, y, positive in said["clicks"]]
        start = time.perf_counter()
        if image is not None:
            rival.open(image)
        mask = rival.click(points)
        spent_ms = (time.perf_counter() - start) * 1000
        write(json.dumps({"ms": spent_ms, "counts": rle.encode(mask).counts}))


def _read(file: str) -> Rgb:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Opens a rival, says {"ready": …} or {"trouble": …}, and serves standard input."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.rivals")
    parser.add_argument("name", choices=("reference", "sam", "sam2", "edgetam"))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--checkpoint", help="of the reference")
    parser.add_argument("--variant", help="which the checkpoint is of")
    told = parser.parse_args(arguments)
    if told.threads:
        torch.set_num_threads(told.threads)

    def write(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        if told.name == "reference":
            rival = open_reference(told.checkpoint, told.variant)
        else:
            rival = open_sam(told.name)
    except (ImportError, AttributeError) as error:  # of what `transformers` wants besides
        write(json.dumps({"trouble": " ".join(str(error).split())}))
        return
    write(json.dumps({"ready": told.name}))
    serve(rival, sys.stdin, write)


if __name__ == "__main__":
    main()
