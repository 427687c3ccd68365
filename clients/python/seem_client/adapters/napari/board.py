"""The layers of one image: points and shapes that a person draws, and labels that are answered.

Each point and each shape has two features, `object` and `positive`. The layers lie where the image
lies, and what is drawn in them is read through the world, so that they may be moved or scaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Points, Shapes

from seem_client.adapters.napari.marks import (
    Kind,
    Mark,
    drawn,
    places_of,
    shape_of,
    vertices_of,
)
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seem_client import Prediction
    from seem_client.adapters.napari.sitting import Masks

THIS, NOT_THIS = "#30a46c", "#e5484d"
"""The colours of what is said of an object, and of where it is not."""

_WHERE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")

MOST_OBJECTS = 255
"""Object ids are the labels' values, which take a byte for each pixel."""


class Board:
    """The layers, which are added to the viewer at once.

    Attributes:
        image: Napari's layer that all of it is about.
        points, shapes: What was drawn.
        result: The masks, each object's pixels as its id.
    """

    def __init__(self, viewer: Any, image: Any, size: tuple[int, ...]) -> None:
        self.image, self._viewer = image, viewer
        self._others: list[Mark] = []
        self._shown: Masks = {}
        self._is_video = len(size) > 2  # noqa: PLR2004 - (height, width)
        self._size, self._where = size, {name: getattr(image, name) for name in _WHERE}
        self.result = self._labels(np.uint8, "objects")
        width = max(size[-2:])
        self.shapes = Shapes(
            name=f"{image.name}: shapes", ndim=len(size), features=_no_marks(),
            face_color="transparent", edge_width=max(1, width / 300), **self._where,
        )  # fmt: skip
        self.points = Points(
            name=f"{image.name}: points", ndim=len(size), features=_no_marks(),
            face_color="positive", face_color_cycle={True: THIS, False: NOT_THIS},
            size=max(3, width / 60), **self._where,
        )  # fmt: skip
        self.layers = (self.result, self.shapes, self.points)
        for layer in self.layers:
            viewer.add_layer(layer)
        self.points.mode = "add"

    def say_of(self, object_id: int, *, positive: bool) -> None:
        """What is drawn from now on is of this object."""
        for layer in (self.points, self.shapes):
            layer.feature_defaults = {"object": object_id, "positive": positive}

    def marks(self) -> tuple[Mark, ...]:
        """All that was drawn and said, but for a shape that is being drawn."""
        return (*self._point_marks(), *self._shape_marks(), *self._others)

    def add(self, mark: Mark) -> None:
        """Adds words or a mask, which no layer holds."""
        self._others.append(mark)

    def change(self, *, gone: Iterable[Mark], back: Iterable[Mark] = ()) -> None:
        """Takes marks out of the layers, and puts others in."""
        gone, back = set(gone), tuple(back)
        before = dict(self.points.feature_defaults.iloc[0])
        for layer, marks in (
            (self.points, self._point_marks()),
            (self.shapes, self._shape_marks()),
        ):
            layer.remove([number for number, one in enumerate(marks) if one in gone])
        self._others = [one for one in self._others if one not in gone]
        for mark in back:
            self.say_of(mark.object_id, positive=mark.positive)
            self._put(mark)
        self.say_of(int(before["object"]), positive=bool(before["positive"]))
        self.colour()

    def colour(self) -> None:
        """Gives shapes the colours of their signs; points have them by themselves."""
        if self.shapes.nshapes:
            signs = self.shapes.features["positive"][: self.shapes.nshapes]
            self.shapes.edge_color = [THIS if one else NOT_THIS for one in signs]

    def painted(self, labels: Any, object_id: int, frame: int | None) -> Mark:
        """The pixels of a labels layer's selected label, as a rough mask of an object."""
        pixels = np.asarray(labels.data if frame is None else labels.data[frame])
        mask = rle.encode(pixels == labels.selected_label)
        return Mark(Kind.MASK, object_id, frame=frame, painted=mask)

    def frame(self) -> int | None:
        """The frame of a video that is looked at; None of an image."""
        if not self._is_video:
            return None
        at = self.image.world_to_data(self._viewer.dims.point)[0]
        return int(np.clip(round(float(at)), 0, self.result.data.shape[0] - 1))

    def draw(self, masks: Masks) -> None:
        """Shows masks, where they differ from those shown: greater ids over lesser ones."""
        old, self._shown = self._shown, masks
        keys = old.keys() | masks.keys()
        changed = {
            frame for frame, one in keys if old.get((frame, one)) is not masks.get((frame, one))
        }
        for frame in changed:
            self._pixels(self.result, frame)[...] = 0
        for (frame, object_id), mask in sorted(masks.items(), key=lambda one: one[0]):
            if frame in changed:
                self._pixels(self.result, frame)[rle.decode(mask)] = object_id
        if changed:
            self.result.refresh()

    def show_everything(self, predictions: Iterable[Prediction], frame: int | None) -> None:
        """Adds a layer with all that was found, each with its name and score."""
        found = list(predictions)
        labels = self._labels(np.uint16, "everything")
        for number, one in enumerate(found, 1):
            self._pixels(labels, frame or 0)[one.mask] = number
        labels.features = {
            "index": list(range(1, len(found) + 1)),
            "name": [one.label or "" for one in found],
            "score": [round(one.score, 3) for one in found],
        }
        self._viewer.add_layer(labels)
        self._viewer.layers.selection.active = self.points

    def name(self, names: dict[int, str]) -> None:
        """Gives objects names, which napari shows under the pointer."""
        self.result.features = {"index": list(names), "name": list(names.values())}

    def remove(self) -> None:
        """Takes what a person draws in out of the viewer; the masks stay."""
        for layer in (self.points, self.shapes):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    # --- between layers and marks

    def _labels(self, dtype: Any, name: str) -> Any:
        """Of the image's size, not added yet; what stays 0 of a video takes no memory."""
        pixels = np.zeros(self._size, dtype)
        return Labels(pixels, name=f"{self.image.name}: {name}", **self._where)

    def _pixels(self, labels: Any, frame: int) -> Any:
        return labels.data[frame] if self._is_video else labels.data

    def _point_marks(self) -> list[Mark]:
        rows = zip(self.points.data, *self._said(self.points), strict=False)
        return [
            Mark(Kind.POINT, int(one), places_of(at[None, -2:]), bool(sign), self._frame_of(at))
            for at, one, sign in ((self._in_image(self.points, at), *said) for at, *said in rows)
        ]

    def _shape_marks(self) -> list[Mark]:
        finished = self.shapes.nshapes - bool(getattr(self.shapes, "_is_creating", False))
        marks = []
        rows = zip(
            self.shapes.data[:finished],
            self.shapes.shape_type,
            *self._said(self.shapes),
            strict=False,
        )
        for vertices, shape_type, object_id, positive in rows:
            at = np.array([self._in_image(self.shapes, one) for one in vertices])
            frame = self._frame_of(at[0])
            mark = drawn(
                shape_type, at[:, -2:], int(object_id), positive=bool(positive), frame=frame
            )
            marks.append(mark)
        return marks

    def _put(self, mark: Mark) -> None:
        if mark.kind in {Kind.WORDS, Kind.MASK}:
            self._others.append(mark)
        elif mark.kind is Kind.POINT:
            self.points.add(self._in_layer(self.points, vertices_of(mark.places), mark.frame))
        else:
            shape_type, vertices = shape_of(mark)
            at = self._in_layer(self.shapes, vertices, mark.frame)
            self.shapes.add(at, shape_type=shape_type)

    def _said(self, layer: Any) -> tuple[Any, Any]:
        return layer.features["object"], layer.features["positive"]

    def _frame_of(self, at: Any) -> int | None:
        return round(float(at[0])) if self._is_video else None

    def _in_image(self, layer: Any, at: Any) -> Any:
        return np.asarray(self.image.world_to_data(layer.data_to_world(at)), np.float64)

    def _in_layer(self, layer: Any, vertices: Any, frame: int | None) -> Any:
        whole = vertices if frame is None else np.insert(vertices, 0, frame, axis=1)
        return np.array([layer.world_to_data(self.image.data_to_world(one)) for one in whole])


def _no_marks() -> dict[str, Any]:
    return {"object": np.zeros(0, np.int64), "positive": np.zeros(0, np.bool_)}
