"""`seem track`: objects that are said in one frame of a video, followed through the others."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_client.exports.coco import VideoDocument
from seem_client.frames import open_frames
from seem_client.image import image_pixels
from seem_server.commands import overlay_video
from seem_server.commands.asking import Misused, add_prompt_options, is_prompted, prompted_for
from seem_server.commands.indexed_png import read_frame
from seem_server.commands.json_file import write_json
from seem_server.commands.overlay_video import OverlayFrame, write_overlay
from seem_server.commands.progress import progress
from seem_server.commands.reach import add_reach_options, reach
from seem_server.commands.scores import latency
from seem_server.commands.segment import check_writable
from seem_server.commands.track_folder import REQUEST, TrackFolder, request
from seem_server.commands.tracking import Order, follow
from seem_wire import rle
from seem_wire.errors import BadVideo, MaskEmpty
from seem_wire.prompts import MaskPrompt, ObjectPrompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from seem_client.frames import FrameSource
    from seem_server.commands.scores import Latency
    from seem_server.commands.tracking import Direction

_DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "both": ("forward", "backward"),
}


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What a frame came to: how likely each object is there, and how many pixels it has."""

    index: int
    name: str
    presence: Mapping[int, float | None]
    areas: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Result:
    """What the folder has in the end; `n_before` of the frames are of earlier runs."""

    frames: tuple[FrameResult, ...]
    size: tuple[int, int]
    n_before: int
    frame_ms: Latency | None
    model_id: str

    @property
    def object_ids(self) -> list[int]:
        """Every object that was followed."""
        return sorted({one for frame in self.frames for one in frame.presence})


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "track",
        help="follow something through a video",
        description=(
            "Say what is meant in one frame, and have it cut out of the others. All that is said "
            "is about one object, but several --text are an object each, and --masks holds any "
            "number. Writes an indexed PNG for each frame (pixel = object id; where objects "
            "overlap, the lower id) and goes on where an earlier run was broken off."
        ),
    )
    parser.add_argument("source", type=Path, help="a folder of images, or a video file")
    parser.add_argument(
        "--frame", type=_number, default=0, metavar="N", help="where it is said, from 0 (default)"
    )
    said = add_prompt_options(parser)
    said.add_argument("--masks", type=Path, metavar="PNG", help="the objects, as an indexed PNG")
    parser.add_argument(
        "--direction", choices=list(_DIRECTIONS), default="forward", help="default: forward"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument("--coco", type=Path, metavar="FILE.json", help="as COCO's video JSON, too")
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE.mp4|DIR",
        help="draw the objects over the video, too: a video file, or images into a folder",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Follows; gives the exit code.

    Raises:
        Misused: The arguments do not go together; nothing was done.
        FolderTaken: The folder has the results of something else.
        BadVideo: The video is damaged; what comes before the damage was followed and written.
        SeemError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    order = _order(arguments)
    for path in (arguments.out / REQUEST, arguments.coco, arguments.overlay):
        if path is not None:
            check_writable(path.parent)
    with open_frames(order.source) as frames:
        if frames.n_frames is not None and order.frame >= frames.n_frames:
            raise Misused(f"There is no frame {order.frame}: {frames.n_frames} lie in the folder.")
        folder, trouble = TrackFolder(arguments.out, frames), None
        with reach(arguments) as client:
            model_id = client.model().model_id
            folder.claim(request(order, model_id))
            n_before = len(folder.done(order.frame))
            with progress(folder.n_missing(order.frame, order.directions), "frame") as done:
                try:
                    follow(client, order, folder, done=done)
                except BadVideo as error:
                    trouble = error
                except KeyboardInterrupt:
                    print("seem track: stopped; the same command goes on here.", file=sys.stderr)
                    raise
        written = folder.done(order.frame)
        files = _write_others(arguments, frames, folder, written)
        result = _result(frames, folder, written, n_before, model_id)
    if trouble is not None:
        raise trouble
    print(json.dumps(as_json(result, order, arguments.out)) if arguments.json else as_text(result))
    if not arguments.json:
        print("\n".join(map(str, (arguments.out, *files))))
    return 0


def as_json(result: Result, order: Order, out: Path) -> dict[str, Any]:
    """The document of `--json`; `frame_ms` is how long the program waited for a frame."""
    height, width = result.size
    speed = result.frame_ms
    return {
        "source": str(order.source),
        "out": str(out),
        "image": {"width": width, "height": height},
        "prompted_frame": order.frame,
        "objects": result.object_ids,
        "n_frames": len(result.frames),
        "n_before": result.n_before,
        "frames": [
            {
                "frame": one.index,
                "name": one.name,
                "presence": {str(number): value for number, value in one.presence.items()},
                "areas": {str(number): area for number, area in one.areas.items()},
            }
            for one in result.frames
        ],
        "timings_ms": {
            "frame": speed and {"count": speed.count, "p50": speed.p50, "p95": speed.p95}
        },
        "model": result.model_id,
    }


def as_text(result: Result) -> str:
    """The same for a person, in short."""
    speed = f", {result.frame_ms.p50:.0f} ms a frame (median)" if result.frame_ms else ""
    before = f" ({result.n_before} of them before)" if result.n_before else ""
    lines = [f"{len(result.frames)} frames{before}{speed}, model {result.model_id}"]
    for object_id in result.object_ids:
        n_seen = sum(one.areas.get(object_id, 0) > 0 for one in result.frames)
        lines.append(f"object {object_id}: seen in {n_seen} of {len(result.frames)} frames")
    return "\n".join(lines)


def _order(arguments: argparse.Namespace) -> Order:
    for option in ("out", "coco", "overlay"):
        path = getattr(arguments, option)
        if path is not None and path.resolve() == arguments.source.resolve():
            raise Misused(f"--{option} would write over the video itself: name another place.")
    if arguments.overlay is not None and arguments.overlay.suffix not in (
        "",
        *overlay_video.SUFFIXES,
    ):
        told = ", ".join(overlay_video.SUFFIXES)
        raise Misused(f"--overlay ends in one of {told}, or has no ending: then it is a folder.")
    _check_images_instead(arguments)
    if arguments.masks is None:
        asked = prompted_for(arguments)
        objects, example = dict(enumerate(asked.prompts, 1)), asked.example
    elif is_prompted(arguments):
        raise Misused("--masks says all about its objects: it takes no other prompts.")
    else:
        masks = read_frame(arguments.masks).masks
        if not masks:
            raise MaskEmpty(f"{arguments.masks} marks no object.")
        objects = {number: ObjectPrompt(mask=MaskPrompt(mask)) for number, mask in masks.items()}
        example = None
    directions = _DIRECTIONS[arguments.direction]
    return Order(arguments.source, arguments.frame, objects, example, directions)


def _check_images_instead(arguments: argparse.Namespace) -> None:
    """An overlay that becomes images never lies among the frames or the masks."""
    folder = arguments.overlay and overlay_video.images_instead(arguments.overlay)
    taken = {arguments.source.resolve(): "the video's frames", arguments.out.resolve(): "the masks"}
    if folder is not None and folder.resolve() in taken:
        raise Misused(
            f"--overlay would write images into {folder}, where {taken[folder.resolve()]} are: "
            "name another file or folder. Videos need PyAV (pip install 'seem-server[video]')."
        )


def _result(
    frames: FrameSource, folder: TrackFolder, written: range, n_before: int, model_id: str
) -> Result:
    results, times_ms, size = [], [], (0, 0)
    for index in written:
        one = folder.read(index)
        height, width = one.indices.shape
        size = (height, width)
        areas = {number: int(mask.sum()) for number, mask in one.masks.items()}
        areas = {number: areas.get(number, 0) for number in one.presence}
        results.append(FrameResult(index, frames.name(index), one.presence, areas))
        times_ms += [] if one.took_ms is None else [one.took_ms]
    return Result(tuple(results), size, n_before, latency(times_ms), model_id)


def _write_others(
    arguments: argparse.Namespace, frames: FrameSource, folder: TrackFolder, written: range
) -> list[Path]:
    """Whatever else was asked for, from what lies in the folder: the same however often it ran."""
    files: list[Path] = []
    if not written:
        return files
    if arguments.coco is not None:
        n_frames = frames.n_frames or written[-1] + 1
        names = [frames.name(index) for index in range(n_frames)]
        document = VideoDocument(names, folder.read(written[0]).indices.shape)
        for index in written:
            masks = folder.read(index).masks
            document.add(index, {one: rle.encode(mask) for one, mask in masks.items()})
        write_json(arguments.coco, document.as_json())
        files.append(arguments.coco)
    if arguments.overlay is not None:
        files.append(write_overlay(arguments.overlay, _overlaid(frames, folder, written)))
    return files


def _overlaid(frames: FrameSource, folder: TrackFolder, written: range) -> Iterator[OverlayFrame]:
    for index in written:
        image = frames.frame(index)
        if image is not None:
            indices = folder.read(index).indices
            yield OverlayFrame(
                frames.name(index), image_pixels(image), indices, frames.time_s(index)
            )


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a frame, from 0 on")
    return int(text)
