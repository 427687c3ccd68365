"""A benchmark of still images: a folder with COCO-style `annotations.json`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seem_wire import rle
from seem_wire.errors import BadImage, CallerError, SeemError
from seem_wire.rle import Rle
from seem_wire.validate import is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from seem_client import Client, Session

    Mask = npt.NDArray[np.bool_]

T = TypeVar("T")

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    SeemError,
)
"""What reading a document that is none, or not as COCO has it, comes to."""

FILE = "annotations.json"
ANY_OBJECT = "object"
"""The name of what is marked without saying what it is; nobody is asked for it by this name."""


class DatasetInvalid(CallerError):
    """The folder is no dataset, or one that cannot be read; the message says where and why."""

    code = "DATASET_INVALID"
    hint = "Give a folder with COCO-style annotations.json and compressed run lengths."


@dataclass(frozen=True, slots=True)
class Target:
    """One object to be cut out, `rle` of its image's size; no name where it is any object."""

    annotation_id: int
    rle: Rle
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked region, crowds included, with the name that it was marked as."""

    name: str | None
    rle: Rle


@dataclass(frozen=True, slots=True)
class Still:
    """An image with what is marked in it.

    Attributes:
        targets: The objects to be cut out one by one.
        ignore: The band that is left out of the score.
        marks: Everything that is marked: the targets and the crowds.
        exhaustive: Whatever has a name of the source's list is marked, so that the other names of
            the list are absent.
    """

    path: Path
    source: str
    targets: tuple[Target, ...]
    ignore: Rle | None = None
    marks: tuple[Mark, ...] = ()
    exhaustive: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what is marked, each once, in the file's order."""
        return tuple(dict.fromkeys(mark.name for mark in self.marks if mark.name is not None))

    def union(self, name: str) -> Mask:
        """Everything that is marked as `name`, one of `names`, crowds too: bool (H, W)."""
        masks = [rle.decode(mark.rle) for mark in self.marks if mark.name == name]
        union: Mask = np.logical_or.reduce(masks)
        return union

    def counted(self, size: tuple[int, int]) -> Mask:
        """The pixels that are scored, bool of the image's `size`."""
        return np.ones(size, np.bool_) if self.ignore is None else ~rle.decode(self.ignore)


def read_stills(folder: Path) -> tuple[Still, ...]:
    """The images that have targets, in the file's order; crowds and empty masks are no targets.

    Raises:
        DatasetInvalid: There is no `annotations.json`, or it is not as COCO has it.
    """
    return tuple(still for still in read_images(folder) if still.targets)


def read_images(folder: Path) -> tuple[Still, ...]:
    """All images in the file's order, also those in which only a crowd is marked, or nothing.

    Raises:
        DatasetInvalid: There is no `annotations.json`, or it is not as COCO has it.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        return _stills(folder, document)
    except FileNotFoundError:
        raise DatasetInvalid(f"{folder} is no dataset: it has no {FILE}.") from None
    except DatasetInvalid as error:
        raise DatasetInvalid(f"{path} cannot be used: {error.message}.") from error
    except UNREADABLE as error:
        raise DatasetInvalid(f"{path} cannot be read: {told(error)}.") from error


def _stills(folder: Path, document: Mapping[str, Any]) -> tuple[Still, ...]:
    names = {one["id"]: str(one["name"]) for one in document.get("categories", [])}
    for category_id, name in names.items():
        if is_blank(name):
            raise DatasetInvalid(f"category {category_id} has a blank name")
    images = [_image(folder, entry) for entry in document["images"]]
    entries: dict[int, list[Mapping[str, Any]]] = {image_id: [] for image_id, _ in images}
    for entry in document["annotations"]:
        image_id = entry["image_id"]
        if image_id not in entries:
            raise DatasetInvalid(f"annotation {entry.get('id')} is of image {image_id}, not listed")
        if entry.get("area", 1) > 0:
            entries[image_id].append(entry)
    return tuple(_marked(still, entries[image_id], names) for image_id, still in images)


@contextmanager
def opened(client: Client, still: Still) -> Iterator[Session]:
    """A session about the image, which is of the size that its masks have.

    Raises:
        DatasetInvalid: The image cannot be read, or has another size than a mask of it.
        SeemError: The server failed, or refused a session.
    """
    try:
        session = client.open(still.path)
    except (BadImage, OSError) as error:
        raise DatasetInvalid(f"The image {still.path} cannot be read: {told(error)}.") from error
    with session:
        sized = [(f"annotation {one.annotation_id}", one.rle) for one in still.targets]
        sized += [(f"what is marked as {one.name or ANY_OBJECT}", one.rle) for one in still.marks]
        sized += [] if still.ignore is None else [("the band to ignore", still.ignore)]
        for what, found in sized:
            if found.size != session.size:
                raise DatasetInvalid(
                    f"The image {still.path} has {_by(session.size)} pixels, the mask of {what} "
                    f"{_by(found.size)} (height x width)."
                )
        yield session


def evenly(items: Sequence[T], limit: int | None) -> tuple[T, ...]:
    """At most `limit` of some things, evenly spread over them; all where it is None."""
    if limit is None or limit >= len(items):
        return tuple(items)
    return tuple(items[number * len(items) // limit] for number in range(limit))


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
            taken.append(replace(still, targets=kept))
    return tuple(taken)


def _image(folder: Path, entry: Mapping[str, Any]) -> tuple[int, Still]:
    source = str(entry.get("source") or "all")
    still = Still(
        image_path(folder, entry["file_name"]),
        source,
        (),
        _ignored(entry),
        exhaustive=bool(entry.get("exhaustive")),
    )
    return int(entry["id"]), still


def _ignored(entry: Mapping[str, Any]) -> Rle | None:
    if not entry.get("ignore"):
        return None
    try:
        return run_lengths(entry["ignore"])
    except UNREADABLE as error:
        what = f"image {entry.get('id')}: the band to ignore"
        raise DatasetInvalid(f"{what}: {told(error)}") from error


def _marked(still: Still, entries: list[Mapping[str, Any]], names: Mapping[int, str]) -> Still:
    """The image with what the annotations say of it."""
    targets, marks = [], []
    for entry in entries:
        try:
            found = run_lengths(entry["segmentation"])
            name = names[entry["category_id"]] if "category_id" in entry else None
        except UNREADABLE as error:
            what = f"annotation {entry.get('id')} of image {entry['image_id']}"
            raise DatasetInvalid(f"{what}: {told(error)}") from error
        name = None if name == ANY_OBJECT else name
        marks.append(Mark(name, found))
        if not entry.get("iscrowd"):
            targets.append(Target(entry["id"], found, name))
    return replace(still, targets=tuple(targets), marks=tuple(marks))


def image_path(folder: Path, name: str) -> Path:
    """Where an image of the dataset lies.

    Raises:
        DatasetInvalid: Outside of the folder.
    """
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise DatasetInvalid(f"the image {relative} lies outside of the folder")
    return folder / relative


def run_lengths(entry: Mapping[str, Any] | list[Any]) -> Rle:
    """A segmentation as COCO has it; whatever else it may be raises one of UNREADABLE."""
    if isinstance(entry, list):
        raise DatasetInvalid("it has polygons, where compressed run lengths are read")
    height, width = entry["size"]
    if not isinstance(entry["counts"], str):
        raise DatasetInvalid("the run lengths are not compressed")
    found = Rle(int(height), int(width), entry["counts"])
    rle.area(
        found
    )  # reads the run lengths, so that nonsense is found here, where its place is known
    return found


def told(error: Exception) -> str:
    """What happened, without what to do; a key that is missing by its name."""
    if isinstance(error, SeemError):
        return error.message.rstrip(".")
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return f"{type(error).__name__}: {error}".rstrip(".")


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
