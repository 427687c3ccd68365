"""A benchmark of still images: a folder with COCO-style `annotations.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seem_wire.errors import CallerError, SeemError
from seem_wire.rle import Rle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "annotations.json"


class DatasetInvalid(CallerError):
    """The folder is no dataset, or one that cannot be read; the message says where and why."""

    code = "DATASET_INVALID"
    hint = "Give a folder with COCO-style annotations.json and compressed run lengths."


@dataclass(frozen=True, slots=True)
class Target:
    """One object to be cut out, `rle` of its image's size."""

    annotation_id: int
    rle: Rle


@dataclass(frozen=True, slots=True)
class Still:
    """An image and its targets. `ignore` marks the band that is left out of the score."""

    path: Path
    source: str
    targets: tuple[Target, ...]
    ignore: Rle | None = None


def read_stills(folder: Path) -> tuple[Still, ...]:
    """The images that have targets, in the file's order; crowds and empty masks are no targets.

    Raises:
        DatasetInvalid: There is no `annotations.json`, or it is not as COCO has it.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        images = [_image(folder, entry) for entry in document["images"]]
        targets: dict[int, list[Target]] = {image_id: [] for image_id, _ in images}
        for entry in document["annotations"]:
            if not entry.get("iscrowd") and entry.get("area", 1) > 0:
                targets[entry["image_id"]].append(Target(entry["id"], _rle(entry["segmentation"])))
    except FileNotFoundError:
        raise DatasetInvalid(f"{folder} is no dataset: it has no {FILE}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SeemError) as error:
        raise DatasetInvalid(f"{path} cannot be read: {type(error).__name__}: {error}.") from error
    return tuple(
        Still(still.path, still.source, tuple(targets[image_id]), still.ignore)
        for image_id, still in images
        if targets[image_id]
    )


def take(stills: tuple[Still, ...], limit: int | None) -> tuple[Still, ...]:
    """At most `limit` targets, evenly spread over the dataset; all where it is None."""
    count = sum(len(still.targets) for still in stills)
    if limit is None or limit >= count:
        return stills
    chosen = {(number * count) // limit for number in range(limit)}
    taken, seen = [], 0
    for still in stills:
        kept = tuple(t for place, t in enumerate(still.targets, seen) if place in chosen)
        seen += len(still.targets)
        if kept:
            taken.append(Still(still.path, still.source, kept, still.ignore))
    return tuple(taken)


def _image(folder: Path, entry: Mapping[str, Any]) -> tuple[int, Still]:
    ignore = entry.get("ignore")
    source = str(entry.get("source") or "all")
    still = Still(folder / entry["file_name"], source, (), _rle(ignore) if ignore else None)
    return int(entry["id"]), still


def _rle(entry: Mapping[str, Any]) -> Rle:
    height, width = entry["size"]
    if not isinstance(entry["counts"], str):
        raise DatasetInvalid("the run lengths are not compressed")
    return Rle(int(height), int(width), entry["counts"])
