"""Small video files, written by PyAV, whose frames tell their number by how bright they are."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

SIZE = (48, 64)


def picture(number, size=SIZE):
    """A grey frame with a white corner at the top left, uint8 (H, W, 3)."""
    pixels = np.full((*size, 3), 20 + (number * 9) % 225, np.uint8)
    pixels[: size[0] // 3, : size[1] // 4] = 255
    return pixels


def noise(number, size=SIZE):
    """A frame that packs badly, so that a file has many bytes."""
    return np.random.default_rng(number).integers(0, 255, (*size, 3), dtype=np.uint8)


def number_of(pixels, among):
    """Which of some pictures a decoded frame shows."""
    level = float(np.median(pixels[pixels.shape[0] // 2 :]))
    return min(among, key=lambda number: abs(20 + (number * 9) % 225 - level))


def made_video(
    path,
    n_frames=20,
    *,
    draw=picture,
    codec="libx264",
    times_ms=None,
    turned=0,
    between=8,
    **options,
):
    """Writes a video of ten frames a second, or of frames at `times_ms`; gives its path."""
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(codec, rate=10)
        first = draw(0)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"g": str(between), "bf": "2" if codec == "libx264" else "0"}
        if turned:
            stream.set_display_rotation(turned)
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(draw(number))
            frame.pts = times_ms[number] if times_ms else number * 100
            frame.time_base = Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def made_sound(path):
    """Writes a second of sound without a picture; gives its path."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
