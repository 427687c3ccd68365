"""The whole of Seem in a minute: a server, a client, four photos, and pictures of what came out.

make demo                              # or: python clients/demo/demo.py --out demo-output
make demo ARGS="--bundle tiny"         # another model
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

import seem_client
from seem_server import settings
from seem_server.app import local_server
from seem_server.commands.overlay import Drawn, overlay
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble

PHOTOS = Path(__file__).parent / "photos"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to make: what is said about which object, one thing after the other."""

    name: str
    photo: str
    caption: str
    said: tuple[tuple[int, ObjectPrompt], ...] = field(repr=False)


def click(*points: tuple[float, float]) -> ObjectPrompt:
    """Positive clicks."""
    return ObjectPrompt(points=tuple(Point(x, y) for x, y in points))


def not_here(x: float, y: float) -> ObjectPrompt:
    """A negative click."""
    return ObjectPrompt(points=(Point(x, y, positive=False),))


AROUND_THE_SPOON = Lasso(((330, 240), (385, 235), (412, 262), (408, 318), (350, 322), (322, 280)))
DOWN_THE_TOWER = Scribble(((205, 90), (205, 180), (140, 270), (290, 300)))
SHOTS = (
    Shot("cat-click", "cat.jpg", "one click", ((1, click((200, 150))),)),
    Shot("coffee-click", "coffee.jpg", "one click on the spoon", ((1, click((368, 275))),)),
    Shot(
        "cat-corrected",
        "cat.jpg",
        "two clicks",
        ((1, click((200, 150))), (1, click((320, 150)))),
    ),
    Shot(
        "coffee-objects",
        "coffee.jpg",
        "two objects, a box each: cup and spoon",
        (
            (1, ObjectPrompt(box=Box(170, 10, 410, 240))),
            (2, ObjectPrompt(box=Box(325, 230, 410, 320))),
        ),
    ),
    Shot(
        "coffee-lasso",
        "coffee.jpg",
        "a lasso around the spoon",
        ((1, ObjectPrompt(lassos=(AROUND_THE_SPOON,))),),
    ),
    Shot(
        "astronaut-box",
        "astronaut.jpg",
        "a box",
        ((1, ObjectPrompt(box=Box(18, 8, 378, 512))),),
    ),
    Shot("cat-text", "cat.jpg", 'the text "cat"', ((1, ObjectPrompt(text="cat")),)),
    Shot(
        "pagoda-text",
        "pagoda.jpg",
        'the text "building", then not the lake',
        ((1, ObjectPrompt(text="building")), (1, not_here(520, 270))),
    ),
    Shot(
        "pagoda-scribble",
        "pagoda.jpg",
        "a scribble",
        ((1, ObjectPrompt(scribbles=(DOWN_THE_TOWER,))),),
    ),
)


def main() -> int:
    """Runs the demo; gives the exit code."""
    parser = argparse.ArgumentParser(description="Segments sample photos and draws the masks.")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="where to draw")
    parser.add_argument("--bundle", help="the model to serve (default: lite)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with (
        local_server(settings.read(arguments, os.environ)) as address,
        seem_client.connect(address) as client,
    ):
        model = client.model()
        print(f"serving {model.model_id} on {model.provider} at {address}\n")
        columns = f"{'score':>6}{'area':>8}{'server':>10}{'client':>10}"
        print(f"{'picture':<18}{'what was said':<56}{columns}")
        for shot in SHOTS:
            print(take(client, shot, arguments.out))
        if "everything" in model.capabilities.commands:
            print(take_everything(client, "coffee.jpg", arguments.out))
    print(f"\nLook at {arguments.out}/ ({time.perf_counter() - start:.1f} s in all).")
    return 0


def take(client: seem_client.Client, shot: Shot, out: Path) -> str:
    """Makes one picture, and tells how it went: times are those of the last thing said."""
    path = PHOTOS / shot.photo
    with client.open(path) as session:
        for object_id, prompt in shot.said:
            start = time.perf_counter()
            last = session.prompt(
                object_id=object_id,
                points=prompt.points,
                box=prompt.box,
                scribbles=prompt.scribbles,
                lassos=prompt.lassos,
                text=prompt.text,
            )
            waited_ms = (time.perf_counter() - start) * 1000
        standing = session.predictions.values()
    objects = [Drawn(one, together(shot, one.object_id)) for one in standing]
    with Image.open(path) as photo:
        picture = overlay(ImageOps.exif_transpose(photo).convert("RGB"), objects, shot.caption)
    picture.save(out / f"{shot.name}.png")
    return (
        f"{shot.name:<18}{shot.caption:<56}{last.score:>6.2f}{last.area:>8}"
        f"{last.timings.total_ms:>7.1f} ms{waited_ms:>7.1f} ms"
    )


def take_everything(client: seem_client.Client, photo: str, out: Path) -> str:
    """Makes a picture of all that the model finds in a photo, and tells its names."""
    start = time.perf_counter()
    segments = client.everything(PHOTOS / photo)
    waited_ms = (time.perf_counter() - start) * 1000
    with Image.open(PHOTOS / photo) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    drawn = [Drawn(one, ObjectPrompt()) for one in segments]
    overlay(upright, drawn, "everything").save(out / f"{Path(photo).stem}-everything.png")
    names = ", ".join(sorted({one.label or "?" for one in segments}))
    return f"\neverything in {photo} ({waited_ms:.0f} ms): {names or 'nothing'}"


def together(shot: Shot, object_id: int) -> ObjectPrompt:
    """All that a shot says about one object, to be drawn."""
    said = [prompt for number, prompt in shot.said if number == object_id]
    return ObjectPrompt(
        points=tuple(point for prompt in said for point in prompt.points),
        box=next((prompt.box for prompt in said if prompt.box), None),
        scribbles=tuple(scribble for prompt in said for scribble in prompt.scribbles),
        lassos=tuple(lasso for prompt in said for lasso in prompt.lassos),
    )


if __name__ == "__main__":
    sys.exit(main())
