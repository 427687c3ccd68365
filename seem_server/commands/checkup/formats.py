"""Which images and videos can be read, by reading one of each."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands.checkup.finding import PIP, SERVE_REMEDY, Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

COLOUR, TOLERANCE = (200, 120, 40), 12
SIDE = 32
FOREIGN = ("HEIC", "AVIF", "JPEG 2000")
"""Formats that people have, and that are not read."""

VIDEO_CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "prores")


def made_image(kind: str) -> bytes:
    """A small file of one of Pillow's formats, all of COLOUR."""
    from PIL import Image  # noqa: PLC0415  (comes with `serve`)

    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), COLOUR).save(buffer, kind)
    return buffer.getvalue()


def check_images(
    kinds: Sequence[str],
    read: Callable[[bytes], Pixels],
    make: Callable[[str], bytes] = made_image,
) -> list[Finding]:
    """Which formats come out of `read` as they were made, and which do not."""
    right, findings = [], []
    for kind in kinds:
        try:
            pixels = read(make(kind))
        except Exception as error:  # noqa: BLE001  (whatever a broken codec raises)
            told = f"{kind} is not read: {error}"
        else:
            if _is_right(pixels):
                right.append(kind)
                continue
            told = f"{kind} is read, and its colours are wrong"
        mend = f"{PIP} install --force-reinstall pillow, or {SERVE_REMEDY}"
        findings.append(Finding("images", State.FAULT, told, mend))
    if right:
        findings.insert(0, Finding("images", State.OK, f"{', '.join(right)} are read"))
    return findings


def check_foreign_images(kinds: Sequence[str]) -> Finding:
    """What is not read on purpose; each format is another parser of strangers' bytes."""
    told = f"{', '.join(one for one in FOREIGN if one not in kinds)} are not read, by choice"
    mend = "Convert such images to JPEG or PNG first."
    return Finding("other images", State.MISSING, told, mend, needed=False)


def drawn_text() -> Pixels:
    """A letter as overlays have it, with the font that Pillow brings, white on black: (H, W)."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  (comes with `serve`)

    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).text((4, 4), "A", fill=255, font_size=20)
    return np.asarray(image)


def check_text(draw: Callable[[], Pixels] = drawn_text) -> Finding:
    """Whether labels can be written into overlays and diagrams."""
    mend = f"{PIP} install --force-reinstall pillow, or {SERVE_REMEDY}"
    try:
        is_seen = bool(draw().any())
    except (ImportError, OSError) as error:  # Pillow was built without FreeType
        told = f"no label can be drawn: {error}"
        return Finding("labels", State.FAULT, told, mend, needed=False)
    if not is_seen:
        return Finding("labels", State.FAULT, "labels come out empty", mend, needed=False)
    return Finding("labels", State.OK, "are drawn, with the font that Pillow brings", needed=False)


def check_video() -> Finding:
    """Whether video files are read, by writing one and reading it as `seem track` does."""
    try:
        import av  # noqa: PLC0415  (an extra)
    except ImportError as error:
        told = f"{error.name or 'PyAV'} is not installed; folders of images are read"
        mend = f"{PIP} install 'seem-server[video]'."
        return Finding("video files", State.MISSING, told, mend, needed=False)
    from seem_client.video_file import VideoFile  # noqa: PLC0415  (only where there is PyAV)

    with TemporaryDirectory(prefix="seem-doctor-") as folder:
        path = Path(folder) / "one.mp4"
        _write_video(av, path)
        file = VideoFile(path)
        try:
            pixels = file.frame(0)
        finally:
            file.close()
    known = [name for name in VIDEO_CODECS if name in av.codecs_available]
    told = f"PyAV {av.__version__} reads {', '.join(known)}"
    if pixels is None or not _is_right(pixels):
        mend = f"{PIP} install --force-reinstall 'seem-server[video]'."
        told = f"{told}, and a frame that it wrote came back wrong"
        return Finding("video files", State.FAULT, told, mend, needed=False)
    return Finding("video files", State.OK, told, needed=False)


def _write_video(av: object, path: Path) -> None:
    """One frame of COLOUR, as MPEG-4."""
    with av.open(str(path), "w") as file:  # type: ignore[attr-defined]
        stream = file.add_stream("mpeg4", rate=10)
        stream.height = stream.width = SIDE
        stream.pix_fmt = "yuv420p"
        frame = np.full((SIDE, SIDE, 3), COLOUR, np.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))  # type: ignore[attr-defined]
        file.mux(stream.encode())


def _is_right(pixels: Pixels) -> bool:
    off = np.abs(pixels.astype(int).mean((0, 1)) - COLOUR).max()
    return pixels.shape == (SIDE, SIDE, 3) and bool(off <= TOLERANCE)
