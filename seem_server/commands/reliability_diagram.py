"""A reliability diagram as a picture: what was believed along x, what came of it along y."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from seem_server.commands.reliability import Reliability

_SIDE, _RIM, _HEAD = 480, 60, 40
_INK, _GRID, _BAR, _LINE = (30, 30, 30), (215, 215, 215), (120, 170, 220), (200, 60, 40)
_LEAST_DOT, _MOST_DOT = 4, 16


def diagram(found: Reliability, title: str) -> Image.Image:
    """Bars of what was achieved in each bin, the diagonal of perfect trust, dots by bin size."""
    image = Image.new("RGB", (_SIDE + 2 * _RIM, _SIDE + 2 * _RIM + _HEAD), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    _axes(draw)
    for one in found.bins:
        if one.achieved is not None:
            draw.rectangle((*_at(one.low, one.achieved), *_at(one.high, 0)), _BAR, (255, 255, 255))
    draw.line((_at(0, 0), _at(1, 1)), _INK, 2)
    for one in found.bins:
        if one.predicted is not None and one.achieved is not None:
            x, y = _at(one.predicted, one.achieved)
            radius = _LEAST_DOT + (_MOST_DOT - _LEAST_DOT) * (one.count / found.count) ** 0.5
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), _LINE, (255, 255, 255))
    draw.text((_RIM, 12), title, _INK, font_size=18)
    below = f"expected calibration error {found.calibration_error:.3f}, n = {found.count}"
    draw.text((_RIM, _HEAD + _SIDE + _RIM + 30), f"believed; {below}", _INK, font_size=14)
    return image


def side_by_side(images: list[Image.Image]) -> Image.Image:
    """Several diagrams in a row; at least one."""
    whole = Image.new("RGB", (sum(one.width for one in images), images[0].height))
    left = 0
    for one in images:
        whole.paste(one, (left, 0))
        left += one.width
    return whole


def _at(x: float, y: float) -> tuple[float, float]:
    """Where (x, y), each 0 to 1, lies in the picture."""
    return _RIM + x * _SIDE, _HEAD + _RIM + (1 - y) * _SIDE


def _axes(draw: ImageDraw.ImageDraw) -> None:
    for tenth in range(0, 11, 2):
        share = tenth / 10
        draw.line((_at(share, 0), _at(share, 1)), _GRID)
        draw.line((_at(0, share), _at(1, share)), _GRID)
        x, y = _at(share, 0)
        draw.text((x - 10, y + 6), f"{share:.1f}", _INK, font_size=14)
        x, y = _at(0, share)
        draw.text((x - 32, y - 8), f"{share:.1f}", _INK, font_size=14)
