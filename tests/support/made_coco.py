"""Tiny datasets as COCO, RefCOCOg and Pascal VOC have them, and a model that reads their colours.

In every image the red of a pixel is the number of the object that it belongs to, so that a model
which only looks at colours can be perfect, or wrong by exactly what a test tells it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from seem_model.evaluate.predictor import Answer, Findings
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS
from seem_wire import rle
from seem_wire.pixels import Frame

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (40, 60)
PERSON, DOG, SKY = (COCO_PANOPTIC.index(name) for name in ("person", "dog", "sky-other-merged"))
LABELS = {1: PERSON, 2: PERSON, 3: DOG, 4: SKY, 5: PERSON}  # of the objects, by their number


def dataset_id(label):
    """Neither the label nor in its order."""
    return 500 - 3 * label


def numbers():
    """Two pictures of object numbers (H, W)."""
    first, second = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    first[5:30, 5:20], first[5:30, 30:45], first[:4] = 1, 2, 4
    second[8:28, 10:40], second[30:36, 3:30], second[2:6, 5:50] = 3, 1, 4
    return [first, second]


def block(top, left, bottom, right):
    """A mask of that block."""
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


@dataclass(frozen=True)
class Folders:
    """Where things were written; `arguments` are those of the command line."""

    images: Path
    annotations: Path
    maps: Path


def as_coco(mask):
    found = rle.encode(mask)
    return {"size": list(found.size), "counts": found.counts}


def write_images(folder, pictures, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, 1):
        colours = np.stack([picture, picture * 0 + 90, picture * 0 + 90], axis=2)
        Image.fromarray(colours).save(folder / f"{number}.{suffix}")
    return [
        {"id": number, "file_name": f"{number}.{suffix}"} for number in range(1, len(pictures) + 1)
    ]


def write_panoptic(folder, pictures=None, crowds=()):
    """`panoptic.json` and PNGs; numbers in `crowds` are crowds. Ids in the PNGs pass 255."""
    pictures = numbers() if pictures is None else pictures
    images, annotations = write_images(folder / "images", pictures), []
    maps = folder / "maps"
    maps.mkdir()
    for entry, picture in zip(images, pictures, strict=True):
        name = f"{entry['id']}.png"
        ids = np.where(picture > 0, picture.astype(np.int64) * 70_001, 0)
        rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
        Image.fromarray(rgb).save(maps / name)
        segments = [
            {
                "id": int(number) * 70_001,
                "category_id": dataset_id(LABELS[number]),
                "iscrowd": int(number in crowds),
                "area": int((picture == number).sum()),
            }
            for number in np.unique(picture[picture > 0]).tolist()
        ]
        annotations.append({"image_id": entry["id"], "file_name": name, "segments_info": segments})
    file = folder / "panoptic.json"
    _write(file, images, annotations, range(len(COCO_PANOPTIC)))
    return Folders(folder / "images", file, maps)


def write_instances(folder, pictures=None):
    """`instances.json` of the things."""
    pictures = numbers() if pictures is None else pictures
    images, annotations = write_images(folder / "images", pictures), []
    for entry, picture in zip(images, pictures, strict=True):
        for number in np.unique(picture[picture > 0]).tolist():
            if LABELS[number] < N_THINGS:
                mask = picture == number
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": entry["id"],
                        "category_id": dataset_id(LABELS[number]),
                        "segmentation": as_coco(mask),
                        "area": int(mask.sum()),
                        "bbox": [0, 0, 1, 1],
                        "iscrowd": 0,
                    }
                )
    file = folder / "instances.json"
    _write(file, images, annotations, range(N_THINGS))
    return Folders(folder / "images", file, folder)


def _write(file, images, annotations, labels):
    categories = [
        {"id": dataset_id(label), "name": COCO_PANOPTIC[label], "isthing": int(label < N_THINGS)}
        for label in labels
    ]
    sizes = {"height": SIZE[0], "width": SIZE[1]}
    document = {
        "images": [entry | sizes for entry in images],
        "annotations": annotations,
        "categories": categories,
    }
    file.write_text(json.dumps(document))


def write_voc(folder, pictures=None):
    """A folder as VOC2012: JPEGs are lossy, so these are PNGs by another name."""
    pictures = numbers() if pictures is None else pictures
    write_images(folder / "JPEGImages", pictures)
    for file in (folder / "JPEGImages").glob("*.png"):
        file.rename(file.with_suffix(".jpg"))
    objects, lists = folder / "SegmentationObject", folder / "ImageSets" / "Segmentation"
    objects.mkdir()
    lists.mkdir(parents=True)
    for number, picture in enumerate(pictures, 1):
        image = Image.fromarray(picture)
        image.putpalette([value for index in range(256) for value in (index, 0, 0)])
        image.save(objects / f"{number}.png")
    (lists / "val.txt").write_text("".join(f"{n}\n" for n in range(1, len(pictures) + 1)))
    return folder


@dataclass
class StandIn:
    """A model that sees colours. `labels`: what it takes each object for, by its number; those it
    doesn't know are nothing to it. `spoil`: what it makes of a mask (H, W). `heard`: sentences."""

    labels: dict = field(default_factory=lambda: dict(LABELS))
    spoil: object = staticmethod(lambda _, mask: mask)
    score: float = 0.95
    heard: list = field(default_factory=list)

    def everything(self, image):
        rows, masks = [], []
        for number in np.unique(image[..., 0]).tolist():
            if number in self.labels:
                row = np.full(len(COCO_PANOPTIC) + 1, 0, np.float32)
                row[self.labels[number]], row[-1] = self.score, 1 - self.score
                rows.append(row)
                masks.append(self._logits(image, number))
        rows = np.array(rows, np.float32).reshape(-1, len(COCO_PANOPTIC) + 1)
        return Findings(rows, np.array(masks, np.float32).reshape(-1, *image.shape[:2]))

    def refer(self, image, sentences):
        self.heard.append(list(sentences))
        return [self._logits(image, int(one.split()[-1])) > 0 for one in sentences]

    def clicking(self, image):
        return ColourClicking(image[..., 0])

    def _logits(self, image, number):
        return np.where(self.spoil(number, image[..., 0] == number), 9, -9).astype(np.float32)


class ColourClicking:
    """Twice the picture's size and padded; finds all of the colours under positive clicks, but none
    of those under negative ones."""

    def __init__(self, reds):
        self.reds = reds
        height, width = reds.shape
        self.frame = Frame(
            2.0, 2.0, 2 * height + 16, 2 * width + 8, resized=(2 * height, 2 * width)
        )
        self.rounds = []

    def answer(self, positive, negative):
        self.rounds.append((positive.copy(), negative.copy()))
        large = self.reds.repeat(2, 0).repeat(2, 1)
        seen = [marks[:, : large.shape[0], : large.shape[1]] for marks in (positive, negative)]
        found = np.array(
            [
                np.isin(self.reds, np.setdiff1d(large[yes], large[no]))
                for yes, no in zip(*seen, strict=True)
            ]
        )
        network = np.zeros_like(positive)
        network[:, : large.shape[0], : large.shape[1]] = found.repeat(2, 1).repeat(2, 2)
        return Answer(network, found)
