"""A small dataset in a folder, as the benchmarks read it."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from seem_wire import rle

SIZE = (64, 96)


def block(top, left, bottom, right):
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def as_coco(mask):
    found = rle.encode(mask)
    return {"size": list(found.size), "counts": found.counts}


def annotation(number, mask, *, image=1, **fields):
    area = int(mask.sum())
    return {
        "id": number, "image_id": image, "segmentation": as_coco(mask), "area": area, **fields,
    }  # fmt: skip


def made_dataset(
    folder, annotations, *, ignore=None, sources=("made",), names=(), exhaustive=False
):
    """Writes one grey image for each source, with these annotations; gives the folder.

    The first of `names` is category 1.
    """
    images = []
    for number, source in enumerate(sources, 1):
        name = f"{source}-{number}.png"
        Image.fromarray(np.full((*SIZE, 3), 100 + number, np.uint8)).save(folder / name)
        images.append({"id": number, "file_name": name, "source": source})
        if exhaustive:
            images[-1]["exhaustive"] = True
    if ignore is not None:
        images[0]["ignore"] = as_coco(ignore)
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder
