"""The folder of a followed video: a PNG a frame, and `track.json`, which says what was asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from seem_client.frames import IMAGE_SUFFIXES
from seem_server.commands.indexed_png import read_frame, write_frame
from seem_server.commands.json_file import write_json
from seem_wire import rle
from seem_wire.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

    from seem_client.frames import FrameSource
    from seem_server.commands.indexed_png import IndexedFrame
    from seem_server.commands.tracking import Direction, Order
    from seem_wire.prompts import ObjectPrompt

REQUEST = "track.json"


class FolderTaken(CallerError):
    """The folder has the results of something else."""

    code = "FOLDER_TAKEN"
    hint = "Name another folder; the same request goes on where it was broken off."


class TrackFolder:
    """The results in a folder, of the frames of `frames`."""

    def __init__(self, folder: Path, frames: FrameSource) -> None:
        self._folder, self._frames = folder, frames
        self._request: dict[str, Any] | None = None

    def claim(self, request: dict[str, Any]) -> None:
        """Makes the folder one for this request, if it is not that already.

        It says so with its first frame: a request that is refused leaves room for another.

        Raises:
            FolderTaken: It has the results of another request, or PNG files of another program.
            OSError: It cannot be made or written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / REQUEST
        wanted = json.loads(json.dumps(request))
        if not path.exists():
            if any(self._folder.glob("*.png")):
                raise FolderTaken(f"{self._folder} has PNG files of another program.")
            self._request = wanted
            return
        try:
            found = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise FolderTaken(f"{path} is not what seem track writes.") from error
        if found != wanted:
            keys = wanted.keys() | (found.keys() if isinstance(found, dict) else set())
            other = [key for key in sorted(keys) if wanted.get(key) != _of(found, key)]
            raise FolderTaken(
                f"{self._folder} has the results of another request: {', '.join(other)} differs."
            )

    def has(self, index: int) -> bool:
        """Whether a frame is done."""
        return self.path(index).exists()

    def path(self, index: int) -> Path:
        """A frame's file."""
        return self._folder / f"{self._frames.name(index)}.png"

    def read(self, index: int) -> IndexedFrame:
        """A frame that is done."""
        return read_frame(self.path(index))

    def write(self, index: int, frame: IndexedFrame) -> None:
        """Writes a frame whole or not at all, and before the first what was asked.

        Raises:
            OSError: It cannot be written.
        """
        if self._request is not None:  # first: frames without it are another program's
            write_json(self._folder / REQUEST, self._request)
            self._request = None
        write_frame(self.path(index), frame)

    def reached(self, start: int, direction: Direction) -> int | None:
        """The last frame of the unbroken run from `start`; None where not even that is done."""
        step, index = (1 if direction == "forward" else -1), start
        while self._exists(index) and self.has(index):
            index += step
        return None if index == start else index - step

    def is_last(self, index: int | None, direction: Direction) -> bool:
        """Whether there is no frame beyond this one; False where nobody knows."""
        end = 0 if direction == "backward" else (self._frames.n_frames or 0) - 1
        return index is not None and index == end

    def n_missing(self, start: int, directions: tuple[Direction, ...]) -> int | None:
        """How many frames there are to be done; None where nobody knows."""
        n_frames = self._frames.n_frames
        if n_frames is None:
            return None
        wanted = set(range(start, n_frames)) if "forward" in directions else set()
        wanted |= set(range(start + 1)) if "backward" in directions else set()
        return sum(not self.has(index) for index in wanted)

    def done(self, start: int) -> range:
        """The frames that are done, around `start`."""
        first, last = self.reached(start, "backward"), self.reached(start, "forward")
        return range(0) if first is None or last is None else range(first, last + 1)

    def _exists(self, index: int) -> bool:
        n_frames = self._frames.n_frames
        return index >= 0 and (n_frames is None or index < n_frames)


def request(order: Order, model_id: str) -> dict[str, Any]:
    """What the frames depend on: the video, what was said where, and the model."""
    source = order.source.resolve()
    document: dict[str, Any] = {
        "source": str(source),
        "source_holds": _held(source),
        "frame": order.frame,
        "objects": {str(number): _said(prompt) for number, prompt in order.objects.items()},
        "model": model_id,
    }
    if order.example is not None:
        image, mask = order.example
        shown = hashlib.sha256(image.read_bytes()).hexdigest()
        document["example"] = {"image": shown, "mask": asdict(rle.encode(mask))}
    return document


def _said(prompt: ObjectPrompt) -> dict[str, Any]:
    """All that a prompt says, as JSON has it."""
    return {
        "points": [asdict(one) for one in prompt.points],
        "box": prompt.box and asdict(prompt.box),
        "scribbles": [asdict(one) for one in prompt.scribbles],
        "lassos": [asdict(one) for one in prompt.lassos],
        "negative_boxes": [asdict(one) for one in prompt.negative_boxes],
        "mask": prompt.mask and asdict(rle.encode(prompt.mask.mask)),
        "text": prompt.text,
    }


def _held(source: Path) -> int | str:
    """A file's size, or a digest of the names of a folder's images."""
    if not source.is_dir():
        return source.stat().st_size
    names = sorted(one.name for one in source.iterdir() if one.suffix.lower() in IMAGE_SUFFIXES)
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def _of(found: object, key: str) -> object:
    return found.get(key) if isinstance(found, dict) else None
