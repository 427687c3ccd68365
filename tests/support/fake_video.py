"""A tracker that follows objects by their colour, so that tests know every mask beforehand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from made_dataset import annotation, as_coco
from PIL import Image

from seem_client import Prediction
from seem_client.frames import open_frames
from seem_client.image import image_pixels
from seem_wire import rle
from seem_wire.types import Timings

SIZE = (32, 48)
COLOURS = {1: (220, 40, 40), 2: (40, 200, 60)}
NEAR = 3


def square(number, object_id, size=SIZE):
    """Where an object is in a frame: object 1 goes right along the top, object 2 left below."""
    mask = np.zeros(size, np.bool_)
    left = number if object_id == 1 else size[1] - 10 - number
    top = 4 if object_id == 1 else 18
    mask[top : top + 10, max(left, 0) : max(left + 10, 0)] = True
    return mask


def picture(number, object_ids=(1, 2), size=SIZE):
    """A grey frame with its objects, uint8 (H, W, 3)."""
    pixels = np.full((*size, 3), 128, np.uint8)
    for object_id in object_ids:
        pixels[square(number, object_id, size)] = COLOURS[object_id]
    return pixels


def made_frames(folder, n_frames=6, **options):
    """Writes the frames as PNG files; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_frames):
        Image.fromarray(picture(number, **options)).save(folder / f"{number:05}.png")
    return folder


def made_clips(folder, names=("one",), n_frames=6, *, absent=(), void=None):
    """Writes a dataset of videos with both objects; gives the folder.

    absent: (frame, object id) that is not marked. void: a mask that is left out of each frame.
    """
    images, marks = [], []
    for name in names:
        for number in reversed(range(n_frames)):  # the file's order is not that of the frames
            path = folder / name / f"{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(number)).save(path)
            image = {
                "id": len(images) + 1, "file_name": f"{name}/{path.name}", "video": name,
                "frame_index": 4 * number, "height": SIZE[0], "width": SIZE[1],
            }  # fmt: skip
            images.append(image | ({"ignore": as_coco(void)} if void is not None else {}))
            for track_id in (1, 2):
                if (number, track_id) not in absent:
                    mask = square(number, track_id)
                    fields = {"image": images[-1]["id"], "track_id": track_id, "category_id": 1}
                    marks.append(annotation(len(marks) + 1, mask, **fields))
    document = {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def prediction(object_id, mask, presence=None):
    lengths = rle.encode(mask)
    return Prediction(
        object_id=object_id, rle=lengths, score=0.9, label=None, label_probability=None,
        box=rle.box(lengths), area=int(mask.sum()), round=1, timings=Timings(), cache_hit=False,
        model_id="fake", presence=presence,
    )  # fmt: skip


class FakeTracker:
    """A client whose `calls` tell what it was asked, and `clicks` where (x, y, positive).

    `flaw` spoils what is followed: (frame, object id, mask) -> mask; not within NEAR frames of a
    click. `breaks_at` is a frame before which it raises `error`, once. `deaf`: clicks find nothing.
    """

    def __init__(self, flaw=None, breaks_at=None, error=None, *, deaf=False):
        self.calls, self.clicks, self.deaf = [], [], deaf
        self.flaw, self.breaks_at, self.error = flaw, breaks_at, error

    def model(self):
        return SimpleNamespace(model_id="fake", provider="cpu")

    @contextmanager
    def track(self, frames):
        self.calls.append(("track",))
        with open_frames(frames) as source:
            yield FakeVideo(self, source)

    @contextmanager
    def open(self, image):
        self.calls.append(("open", image.stem))
        with open_frames([image]) as source:
            video = FakeVideo(self, source)

            def mask(mask, *, object_id):
                video.mask(mask, frame=0, object_id=object_id)
                return prediction(object_id, video._found(0, object_id))

            yield SimpleNamespace(mask=mask)


class FakeVideo:
    def __init__(self, tracker, source):
        self._tracker, self._source = tracker, source
        self._colours, self._said, self._clicked = {}, {}, {}

    @property
    def size(self):
        return self._pixels(0).shape[:2]

    @property
    def n_frames(self):
        return self._source.n_frames

    def _pixels(self, index):
        return image_pixels(self._source.frame(index))

    def _found(self, index, object_id):
        far = np.abs(self._pixels(index).astype(int) - self._colours[object_id]).max(axis=-1)
        return far < 30

    def click(self, x, y, *, frame, positive=True, object_id=1):
        self._tracker.calls.append(("click", frame, object_id))
        self._tracker.clicks.append((x, y, positive))
        if positive and object_id not in self._colours:
            self._colours[object_id] = self._pixels(frame)[int(y), int(x)]
        mask = self._found(frame, object_id) & (not self._tracker.deaf)
        self._said[frame, object_id] = mask
        self._clicked.setdefault(object_id, []).append(frame)
        return prediction(object_id, mask)

    def mask(self, mask, *, frame, object_id=1):
        self._tracker.calls.append(("mask", frame, object_id))
        self._colours[object_id] = np.median(self._pixels(frame)[mask], axis=0)
        self._said[frame, object_id] = mask
        return prediction(object_id, mask)

    def prompt(self, *, frame, object_id=1, points=(), mask=None, **_):
        if mask is not None:
            return self.mask(mask, frame=frame, object_id=object_id)
        return self.click(points[0].x, points[0].y, frame=frame, object_id=object_id)

    def propagate(self, *, first=0, last=None, direction="forward"):
        self._tracker.calls.append(("propagate", first, last, direction))
        index = first if direction == "forward" else last
        while index >= first and (last is None or index <= last):
            if self._source.frame(index) is None:
                return
            if index == self._tracker.breaks_at:
                self._tracker.breaks_at = None
                raise self._tracker.error
            found = {one: self._followed(index, one) for one in self._colours}
            yield SimpleNamespace(index=index, predictions=found)
            index += 1 if direction == "forward" else -1

    def _followed(self, index, object_id):
        if (index, object_id) in self._said:
            return prediction(object_id, self._said[index, object_id], 0.75)
        mask = self._found(index, object_id)
        near = any(abs(frame - index) <= NEAR for frame in self._clicked.get(object_id, ()))
        if self._tracker.flaw is not None and not near:
            mask = self._tracker.flaw(index, object_id, mask)
        return prediction(object_id, mask, 0.75)
