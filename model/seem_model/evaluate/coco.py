"""COCO's panoptic and instance annotations, with the names of the model's vocabulary.

H, W the picture · labels: places in the vocabulary, 0 to K - 1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from PIL import Image

from seem_model.evaluate.datasets import DatasetInvalid, numbered, read_json, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Int32 = npt.NDArray[np.int32]

IGNORED = 255
"""Label of pixels that the semantic score leaves out."""

_RADIX = 256  # a segment's id in a PNG: R + 256 G + 256² B


@dataclass(frozen=True, slots=True)
class Category:
    """A name of the vocabulary: its place there, and its id in the dataset's files."""

    label: int
    dataset_id: int
    is_thing: bool


@dataclass(frozen=True, slots=True)
class TruthSegment:
    """One annotated segment. `is_crowd`: a group that nobody took apart."""

    id: int
    label: int
    is_crowd: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a dataset, by the id that its annotations name."""

    id: int
    path: Path


@dataclass(frozen=True, slots=True)
class PanopticPicture(Picture):
    """An image and its segments; `map_path`: the PNG whose colours are their ids."""

    map_path: Path
    segments: tuple[TruthSegment, ...]

    def read_ids(self) -> Int32:
        """Segment ids (H, W); 0 is none."""
        with reading(self.map_path), Image.open(self.map_path) as image:
            colours = np.asarray(image.convert("RGB")).astype(np.int32)
        return colours @ np.array([1, _RADIX, _RADIX**2], np.int32)

    def read_labels(self) -> Int32:
        """Labels (H, W), IGNORED where no segment is: the truth of the semantic score."""
        ids = self.read_ids()
        labels = np.full(ids.shape, IGNORED, np.int32)
        for segment in self.segments:
            labels[ids == segment.id] = segment.label
        return labels


P = TypeVar("P", bound=Picture)


@dataclass(frozen=True, slots=True)
class Dataset(Generic[P]):
    """Pictures, and the categories that their annotations speak of, by label."""

    annotations: Path
    categories: tuple[Category, ...]
    pictures: tuple[P, ...]

    @property
    def things(self) -> frozenset[int]:
        """Labels of countable things."""
        return frozenset(one.label for one in self.categories if one.is_thing)


def read_panoptic(
    annotations: Path, images: Path, maps: Path, names: Sequence[str]
) -> Dataset[PanopticPicture]:
    """`panoptic_val2017.json`, its folder of PNGs, and the folder of images.

    Raises:
        DatasetInvalid: A file is missing or malformed, or the categories aren't `names`.
    """
    document = read_json(annotations)
    with reading(annotations):
        categories = _categories(document["categories"], names)
        label_of = {one.dataset_id: one.label for one in categories}
        files = numbered(document["images"])
        pictures = tuple(
            PanopticPicture(
                id=int(entry["image_id"]),
                path=images / files[int(entry["image_id"])]["file_name"],
                map_path=maps / entry["file_name"],
                segments=tuple(_segments(entry["segments_info"], label_of)),
            )
            for entry in document["annotations"]
        )
    return Dataset(annotations, categories, pictures)


def read_instances(annotations: Path, images: Path, names: Sequence[str]) -> Dataset[Picture]:
    """`instances_val2017.json` and the folder of images; `names` are those of things alone.

    Raises:
        DatasetInvalid: As `read_panoptic`.
    """
    document = read_json(annotations)
    with reading(annotations):
        entries = [{**entry, "isthing": 1} for entry in document["categories"]]
        categories = _categories(entries, names)
        pictures = tuple(
            Picture(number, images / entry["file_name"])
            for number, entry in numbered(document["images"]).items()
        )
    return Dataset(annotations, categories, pictures)


def _categories(entries: Iterable[Mapping[str, Any]], names: Sequence[str]) -> tuple[Category, ...]:
    labels = {name: label for label, name in enumerate(names)}
    found = {str(entry["name"]): entry for entry in entries}
    if found.keys() != labels.keys():
        strange, missing = found.keys() - labels.keys(), labels.keys() - found.keys()
        raise DatasetInvalid(
            "The categories are not those of the published models: "
            f"unknown {sorted(strange)[:5]}, missing {sorted(missing)[:5]}."
        )
    return tuple(
        Category(labels[name], int(found[name]["id"]), bool(found[name]["isthing"]))
        for name in names
    )


def _segments(
    entries: Iterable[Mapping[str, Any]], label_of: Mapping[int, int]
) -> Iterable[TruthSegment]:
    for entry in entries:
        label = label_of[int(entry["category_id"])]
        yield TruthSegment(int(entry["id"]), label, bool(entry.get("iscrowd", 0)))
