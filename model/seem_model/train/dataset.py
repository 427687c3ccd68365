"""Training images: crops of COCO-style folders with the objects visible in them.

A dataset folder holds `annotations.json` with images, annotations (compressed RLE) and categories.
Every draw depends on (seed, index) alone, so that a resumed run sees what it would have seen.
Crops come in pairs: both show a thing of the same name, so that one can be the other's example.
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

LABEL_STRIDE = 8
UNKNOWN, NOTHING = -1, -2
"""In a crop's map of labels: nobody knows what is there; none of the source's names."""

N_PASTED = (0.6, 0.25, 0.15)
"""Chance that nothing, one thing or two things of other pictures are put into a crop."""
PASTED_SOURCES = ("coco", "coco_person", "davis", "feral", "foodcal", "horse", "mandarin", "crystl")
"""Sources of whole things with exact masks, which can be put into other pictures."""

P_OBJECT_VIEW = 0.3
MAX_ENLARGING = 6.0

P_WHOLE_VIEW = 0.25
"""How often a crop is the whole picture, as it is served."""

COMPLETE_SOURCES = ("camvid", "lmf", "facade", "carparts", "horse", "dsb", "riceleaf")
"""Sources that mark all of every name they mark, though not always a name that is there."""

SOURCE_SHARES = {"coco": 1.6}
"""Sources drawn more often than their size says: the one with the most kinds of things."""


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
    completely); `absent`: names known not to be there. `labels`: int16 (S / 8, S / 8), the name
    at the middle of each cell as an index into the training set's, NOTHING or UNKNOWN.
    """

    image: Image
    targets: tuple[Target, ...]
    named: dict[str, Mask]
    absent: tuple[str, ...]
    source: str
    labels: npt.NDArray[np.int16]


@dataclass(slots=True)
class _View:
    """A picture on its way to a crop: pixels (S, S, 3), and (name, kind, mask (S, S)) of all."""

    image: Image
    things: list[tuple[str, str, Mask]]


class CropDataset(Dataset[Crop]):
    """Random crops, `length` of them: first a source is drawn, then a name, then an image.

    So no source drowns another, and rare names are seen often. Each run of `together` crops shares
    one side length, drawn from `sizes`. `names`: what indices in the crops' labels stand for.
    """

    def __init__(
        self,
        images: list[SourceImage],
        names: list[str],
        *,
        sizes: tuple[int, ...],
        length: int,
        together: int,
        seed: int,
    ) -> None:
        self.by_name: dict[str, dict[str, list[SourceImage]]] = defaultdict(
            lambda: defaultdict(list)
        )
        counts: dict[str, int] = defaultdict(int)
        for image in images:
            counts[image.source] += 1
            for name in sorted({a["name"] for a in image.annotations}):
                self.by_name[image.source][name].append(image)
        self.by_name = {source: dict(by_name) for source, by_name in self.by_name.items()}
        self.sources = sorted(self.by_name)
        self.index = {name: position for position, name in enumerate(names)}
        self.weights = _shares(
            [
                SOURCE_SHARES.get(source, 1.0)
                * counts[source] ** 0.5
                * len(self.by_name[source]) ** 0.25
                for source in self.sources
            ]
        )
        self.pasted = [source for source in PASTED_SOURCES if source in self.by_name]
        self.sizes, self.length, self.seed = sizes, length, seed
        self.together = together

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Crop:
        rng = np.random.default_rng([self.seed, index])
        size_rng = np.random.default_rng([self.seed, index // self.together, 1])
        pair_rng = np.random.default_rng([self.seed, index // 2, 2])
        size = int(size_rng.choice(self.sizes))
        while True:
            source = self.sources[pair_rng.choice(len(self.sources), p=self.weights)]
            name, images = self._draw_name(source, pair_rng)
            crop = self._crop(images[rng.integers(len(images))], name, size, rng)
            if crop.targets:
                return crop

    def _draw_name(self, source: str, rng: Rng) -> tuple[str, list[SourceImage]]:
        by_name = self.by_name[source]
        names = sorted(by_name)
        shares = _shares([len(by_name[name]) ** 0.5 for name in names])
        name = names[rng.choice(len(names), p=shares)]
        return name, by_name[name]

    def _crop(self, entry: SourceImage, name: str, size: int, rng: Rng) -> Crop:
        view = _view(entry, name, size, rng)
        for _ in range(rng.choice(len(N_PASTED), p=N_PASTED) if self.pasted else 0):
            source = self.pasted[rng.integers(len(self.pasted))]
            pasted, images = self._draw_name(source, rng)
            _paste(view, _view(images[rng.integers(len(images))], pasted, size, rng), pasted, rng)
        targets = [
            Target(mask, None if called == CLASS_AGNOSTIC else called)
            for called, kind, mask in view.things
            if kind != "crowd" and mask.mean() >= MIN_SHARE
        ]
        named, absent = self._named(entry, view, rng)
        labels = self._labels(entry, view)
        return Crop(view.image, tuple(targets[:12]), named, absent, entry.source, labels)

    def _named(
        self, entry: SourceImage, view: _View, rng: Rng
    ) -> tuple[dict[str, Mask], tuple[str, ...]]:
        if not (entry.exhaustive or entry.source in COMPLETE_SOURCES):
            return {}, ()
        unions: dict[str, Mask] = {}
        for name, _, mask in view.things:
            unions[name] = unions[name] | mask if name in unions else mask
        own = set(self.by_name[entry.source]) - {CLASS_AGNOSTIC}  # of others it may show more
        named = {
            name: mask for name, mask in unions.items() if name in own and mask.mean() >= MIN_SHARE
        }
        candidates = sorted(own - set(unions)) if entry.exhaustive else []
        picks = rng.permutation(len(candidates))[:3]
        return named, tuple(candidates[pick] for pick in picks)

    def _labels(self, entry: SourceImage, view: _View) -> npt.NDArray[np.int16]:
        """What is in the middle of each cell; smaller things lie on top of larger ones.

        A pasted thing whose name the source does not mark teaches nothing where others of that name
        may lie unmarked.
        """
        own = self.by_name[entry.source]
        middle = slice(LABEL_STRIDE // 2, None, LABEL_STRIDE)
        shape = view.image[middle, middle].shape[:2]
        labels = np.full(shape, NOTHING if entry.exhaustive else UNKNOWN, np.int16)
        for name, _, mask in sorted(view.things, key=lambda thing: -thing[2].sum()):
            known = name in own or not entry.exhaustive
            labels[mask[middle, middle]] = self.index.get(name, UNKNOWN) if known else UNKNOWN
        return labels


def _shares(weights: list[float]) -> npt.NDArray[np.float64]:
    array = np.array(weights, float)
    shares: npt.NDArray[np.float64] = array / array.sum()
    return shares


def _view(entry: SourceImage, name: str, size: int, rng: Rng) -> _View:
    """A random crop of an image that shows at least a part of something called `name`."""
    image = _read_image(entry.path)
    masks = coco_mask.decode([a["segmentation"] for a in entry.annotations])  # (H, W, n) uint8
    called = [i for i, a in enumerate(entry.annotations) if a["name"] == name]
    matrix = _random_view(masks[:, :, called[rng.integers(len(called))]], size, rng)
    if rng.random() < 0.8:
        image = _jitter_colours(image, rng)
    view = cv2.warpAffine(image, matrix, (size, size), borderValue=PADDING_GREY)
    things = []
    for number in rng.permutation(len(entry.annotations)):
        annotation = entry.annotations[number]
        mask = np.ascontiguousarray(masks[:, :, number])
        warped = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_NEAREST) > 0
        if warped.any():
            things.append((annotation["name"], annotation["kind"], warped))
    return _View(view.astype(np.uint8), things)


def _paste(view: _View, other: _View, name: str, rng: Rng) -> None:
    """Puts a thing of another crop in front of this one's (Ghiasi et al. 2021)."""
    fitting = [
        thing
        for thing in other.things
        if thing[0] == name and thing[1] == "instance" and 0.005 < thing[2].mean() < 0.4
    ]
    if not fitting:
        return
    mask = fitting[rng.integers(len(fitting))][2]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    mixed = view.image * (1 - soft) + other.image * soft
    view.image = (mixed + 0.5).astype(np.uint8)
    behind = [(called, kind, there & ~mask) for called, kind, there in view.things]
    view.things = [(name, "instance", mask), *(thing for thing in behind if thing[2].any())]


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
    """An affine map (2, 3) from image to crop: random zoom, shift and flip that keep the anchor.

    Sometimes the zoom goes by the anchor's size, as when a served picture is looked at closer, and
    sometimes it shows the whole picture.
    """
    height, width = anchor.shape
    fit = size / max(height, width)
    scale = fit * np.exp(rng.uniform(np.log(0.85), np.log(2.5)))
    rows, columns = np.nonzero(anchor)
    kind = rng.random()
    if kind >= 1 - P_WHOLE_VIEW:
        scale = fit * rng.uniform(0.85, 1.0)
    if len(rows) and kind < P_OBJECT_VIEW:
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        wanted = size / (extent * rng.uniform(1.15, 3.0))
        scale = float(np.clip(wanted, 0.85 * fit, MAX_ENLARGING * fit))
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
