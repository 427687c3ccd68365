"""Training images: crops of COCO-style folders with the objects visible in them.

A dataset folder holds `annotations.json` with images, annotations (compressed RLE) and categories.
Every draw depends on (seed, index) alone, so that a resumed run sees what it would have seen.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from torch.utils.data import Dataset

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Rng = np.random.Generator
    Image = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

CLASS_AGNOSTIC = "object"
PADDING_GREY = (127.5, 127.5, 127.5)
"""What zero-padding after normalisation looks like."""

MIN_SHARE = 0.0015
"""Objects smaller than this share of a crop are not asked for."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One annotated image of a folder."""

    path: Path
    source: str
    exhaustive: bool
    annotations: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a prompt should find: a mask of the crop and, where known, its name."""

    mask: Mask
    name: str | None


@dataclass(frozen=True, slots=True)
class Crop:
    """A training image: `image` (S, S, 3) uint8 RGB; `targets`: objects to click.

    `named`: per name, the union of all its annotations (only names that are marked
    exhaustively); `absent`: names known not to be there.
    """

    image: Image
    targets: tuple[Target, ...]
    named: dict[str, Mask]
    absent: tuple[str, ...]


class CropDataset(Dataset[Crop]):
    """Random crops, `length` of them, drawn by source first, so that no source drowns another.

    Each run of `together` crops shares one side length, drawn from `sizes`.
    """

    def __init__(
        self,
        images: list[SourceImage],
        *,
        sizes: tuple[int, ...],
        length: int,
        together: int,
        seed: int,
    ) -> None:
        self.by_source: dict[str, list[SourceImage]] = defaultdict(list)
        for image in images:
            self.by_source[image.source].append(image)
        self.sources = sorted(self.by_source)
        counts = np.array([len(self.by_source[source]) for source in self.sources], float)
        kinds = np.array([self._n_names(source) for source in self.sources], float)
        weights = np.sqrt(counts) * kinds**0.25
        self.weights = weights / weights.sum()
        self.sizes, self.length, self.seed = sizes, length, seed
        self.together = together
        self.names_of_source = {
            source: {a["name"] for i in self.by_source[source] for a in i.annotations}
            for source in self.sources
        }

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Crop:
        rng = np.random.default_rng([self.seed, index])
        size_rng = np.random.default_rng([self.seed, index // self.together, 1])
        size = int(size_rng.choice(self.sizes))
        while True:
            source = self.sources[rng.choice(len(self.sources), p=self.weights)]
            images = self.by_source[source]
            crop = self._crop(images[rng.integers(len(images))], size, rng)
            if crop.targets:
                return crop

    def _n_names(self, source: str) -> int:
        return len({a["name"] for image in self.by_source[source] for a in image.annotations})

    def _crop(self, entry: SourceImage, size: int, rng: Rng) -> Crop:
        image = _read_image(entry.path)
        rles = [a["segmentation"] for a in entry.annotations]
        masks = coco_mask.decode(rles)  # (H, W, n) uint8
        anchor = masks[:, :, rng.integers(len(rles))]
        matrix = _random_view(anchor, size, rng)
        if rng.random() < 0.8:
            image = _jitter_colours(image, rng)
        view = cv2.warpAffine(image, matrix, (size, size), borderValue=PADDING_GREY)
        targets: list[Target] = []
        unions: dict[str, Mask] = {}
        for number in rng.permutation(len(rles)):
            annotation = entry.annotations[number]
            mask = np.ascontiguousarray(masks[:, :, number])
            warped = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_NEAREST) > 0
            if not warped.any():
                continue
            name = annotation["name"]
            unions[name] = unions[name] | warped if name in unions else warped
            if annotation["kind"] != "crowd" and warped.mean() >= MIN_SHARE:
                targets.append(Target(warped, None if name == CLASS_AGNOSTIC else name))
        named, absent = self._named(entry, unions, rng)
        return Crop(view.astype(np.uint8), tuple(targets[:12]), named, absent)

    def _named(
        self, entry: SourceImage, unions: dict[str, Mask], rng: Rng
    ) -> tuple[dict[str, Mask], tuple[str, ...]]:
        if not entry.exhaustive:
            return {}, ()
        named = {
            name: mask
            for name, mask in unions.items()
            if name != CLASS_AGNOSTIC and mask.mean() >= MIN_SHARE
        }
        marked = self.names_of_source[entry.source] - {CLASS_AGNOSTIC}
        candidates = sorted(marked - set(unions))
        picks = rng.permutation(len(candidates))[:3]
        return named, tuple(candidates[pick] for pick in picks)


def is_free(licence: str) -> bool:
    """Whether a licence text lets anybody use and adapt, also for money, as far as it says."""
    refused = re.search(r"\b(NC|ND)\b|non-commercial|research|no licence", licence)
    granted = re.search(
        r"\b(CC0|CC BY|MIT|Apache|Public Domain)\b|no known", licence, re.IGNORECASE
    )
    return bool(granted and not refused)


def read_folder(
    folder: Path, *, sources: frozenset[str] | None = None, only_free: bool = False
) -> list[SourceImage]:
    """The annotated images of a COCO-style folder.

    `sources` keeps only those sources; `only_free` only images whose own licence, or else whose
    source's, `is_free`.

    Raises:
        FileNotFoundError: there is no annotations.json.
    """
    document = json.loads((folder / "annotations.json").read_text())
    terms = {name: entry["license"] for name, entry in document.get("sources", {}).items()}

    def wanted(image: dict[str, Any]) -> bool:
        per_image = "image_license" in image or "image_license" in terms.get(image["source"], "")
        licence = image.get("image_license") if per_image else terms.get(image["source"])
        return (sources is None or image["source"] in sources) and (
            not only_free or is_free(licence or "")
        )

    names = {category["id"]: category["name"] for category in document["categories"]}
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        annotation["name"] = names[annotation["category_id"]]
        by_image[annotation["image_id"]].append(annotation)
    return [
        SourceImage(
            folder / image["file_name"],
            image["source"],
            bool(image.get("exhaustive")),
            tuple(by_image[image["id"]]),
        )
        for image in document["images"]
        if by_image[image["id"]] and wanted(image)
    ]


def _read_image(path: Path) -> Image:
    image = cv2.imread(str(path))
    if image is None:
        message = f"{path} is missing or no image"
        raise FileNotFoundError(message)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _random_view(anchor: npt.NDArray[np.uint8], size: int, rng: Rng) -> npt.NDArray[np.float64]:
    """An affine map (2, 3) from image to crop: random zoom, shift and flip that keep the anchor."""
    height, width = anchor.shape
    fit = size / max(height, width)
    scale = fit * np.exp(rng.uniform(np.log(0.85), np.log(2.5)))
    rows, columns = np.nonzero(anchor)
    pick = rng.integers(len(rows)) if len(rows) else 0
    x, y = (columns[pick], rows[pick]) if len(rows) else (width / 2, height / 2)
    offset = [
        _random_offset(float(centre) * scale, extent * scale, size, rng)
        for centre, extent in ((x, width), (y, height))
    ]
    aspect = np.exp(rng.uniform(-0.1, 0.1))
    matrix = np.array([[scale * aspect, 0.0, offset[0]], [0.0, scale / aspect, offset[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], 0.0, size - 1 - matrix[0, 2]]
    return matrix


def _random_offset(anchor: float, extent: float, size: int, rng: Rng) -> float:
    """A shift that keeps `anchor` in view and does not show more padding than needed."""
    if extent <= size:
        return float(rng.uniform(0, size - extent)) if rng.random() < 0.5 else 0.0
    margin = 0.1 * size
    low = max(size - extent, margin - anchor)
    high = min(0.0, size - margin - anchor)
    if high > low:
        return float(rng.uniform(low, high))
    return float(np.clip(size / 2 - anchor, size - extent, 0))


def _jitter_colours(image: Image, rng: Rng) -> Image:
    """Random brightness, contrast, saturation and, rarely, grey."""
    x = image.astype(np.float32)
    x *= rng.uniform(0.7, 1.3)
    mean = x.mean()
    x = (x - mean) * rng.uniform(0.7, 1.3) + mean
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.6, 1.4)
    x = grey[..., None] + (x - grey[..., None]) * saturation
    return np.clip(x, 0, 255).astype(np.uint8)
