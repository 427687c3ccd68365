"""`python -m seem_model.train.held_out --data FOLDER --out FOLDER`: what training kept apart.

Written as a dataset like the one it comes from, so that thresholds and policies are chosen on it by
the same commands that measure a benchmark, and never on the benchmark.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from seem_model.train.loop import is_held_out
from seem_model.train.recipe import RECIPES

UNFIT = ("bsds",)
"""Sources whose regions are nobody's objects: several people's contours of one picture."""


def write_held_out(data: Path, out: Path, share: float, *, per_image: int = 3) -> int:
    """Copies the images kept apart by `share`, and at most `per_image` objects of each to click.

    `out/stills` has the objects, `out/text` everything that is marked. Returns the images.
    """
    document = json.loads((data / "annotations.json").read_text())
    images = [
        image
        for image in document["images"]
        if is_held_out(Path(image["file_name"]), share) and image["source"] not in UNFIT
    ]
    kept = {image["id"] for image in images}
    marked = [a for a in document["annotations"] if a["image_id"] in kept]
    named = {image["id"] for image in images if image.get("exhaustive")}
    _write(out / "stills", data, document, images, _some(marked, per_image))
    exhaustive = [image for image in images if image["id"] in named]
    _write(out / "text", data, document, exhaustive, [a for a in marked if a["image_id"] in named])
    return len(images)


def _some(annotations: list[dict[str, object]], per_image: int) -> list[dict[str, object]]:
    """The largest, the smallest and those between, evenly; crowds and specks are left out."""
    by_image: dict[object, list[dict[str, object]]] = {}
    for annotation in annotations:
        if annotation["kind"] != "crowd" and float(str(annotation["area"])) >= 100:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
    chosen = []
    for entries in by_image.values():
        entries.sort(key=lambda a: float(str(a["area"])))
        n = min(per_image, len(entries))
        chosen += [entries[int((i + 0.5) * len(entries) / n)] for i in range(n)]
    return chosen


def _write(
    out: Path,
    data: Path,
    document: dict[str, object],
    images: list[dict[str, object]],
    annotations: list[dict[str, object]],
) -> None:
    used = {annotation["image_id"] for annotation in annotations}
    images = [image for image in images if image["id"] in used]
    for image in images:
        target = out / str(image["file_name"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / str(image["file_name"]), target)
    text = json.dumps({**document, "images": images, "annotations": annotations})
    out.mkdir(parents=True, exist_ok=True)
    (out / "annotations.json").write_text(text)


def main() -> None:
    """Reads the arguments and copies."""
    parser = argparse.ArgumentParser(
        prog="python -m seem_model.train.held_out", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="COCO-style folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", choices=sorted(RECIPES), default="lite")
    arguments = parser.parse_args()
    share = RECIPES[arguments.config].held_out_share
    count = write_held_out(arguments.data, arguments.out, share)
    sys.stdout.write(f"{arguments.out}: {count} images\n")


if __name__ == "__main__":
    main()
