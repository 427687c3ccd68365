"""A backend without a network: it draws simple masks at once, or as slowly as it is told to.

`seem serve --bundle fake` and the tests run the whole server on it. What it draws is a pure
function of the prompts, so that everything that holds for a model's masks (memory of the round
before, equal work gives equal masks) can be seen on it.

n objects · P prompt points · h, w = H / 4, W / 4
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import Decoded, TextStates
from seem_server.runtime.bundle import BundleManifest, ImageSpec, TextSpec, Vocabulary
from seem_wire.pixels import MAP_NAMES, MASK_LOGIT, NEGATIVE, POSITIVE
from seem_wire.types import Licence, PromptKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from seem_server.runtime.backend import Features, PromptArrays

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

NAME = "fake"
RADIUS = 8.0
"""Radius of the disk that a click marks or clears, in grid cells."""

_STRIDE = 4
_TEXT = TextSpec(max_tokens=8, width=8)
_NAMES = ("thing", "named thing")

MANIFEST = BundleManifest(
    name=NAME,
    variant=NAME,
    version="1",
    image=ImageSpec(256, _STRIDE, 32, (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    prompts=frozenset(
        {
            PromptKind.POINT,
            PromptKind.BOX,
            PromptKind.SCRIBBLE,
            PromptKind.MASK,
            PromptKind.TEXT,
        }
    ),
    mask_stride=_STRIDE,
    mask_threshold=0.0,
    text=_TEXT,
    joint_width=len(_NAMES),
    vocabulary=Vocabulary(_NAMES, 10.0, np.eye(len(_NAMES), dtype=np.float32)),
    features=("image",),
    precision="fp32",
    licences=(Licence("all of it", "Apache-2.0", "drawn by rule, learned from nothing"),),
    provenance={},
    files=(),
    model_id="fake@1",
)


@dataclass(frozen=True, slots=True, eq=False)
class FakeFeatures:
    """The image itself at stride 4, float32 (3, h, w), so that a cache has bytes to count."""

    image: Float32

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.image.nbytes


class FakeBackend:
    """Draws what the prompts say: disks, boxes and masks, on top of the round before.

    A round's mask is the mask before it, the box, and a disk around each positive point, without a
    disk around each negative point. A text adds the middle of the image.

    `wait` is what makes it slow, called with the seconds to spend; tests pass their own.
    """

    provider = NAME
    manifest = MANIFEST

    def __init__(
        self,
        *,
        encode_s: float = 0.0,
        decode_s: float = 0.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._encode_s = encode_s
        self._decode_s = decode_s
        self._wait = wait
        self.n_encoded = 0
        self.n_decoded = 0

    def encode(self, images: Float32) -> list[Features]:
        """Features of B images (B, 3, H, W)."""
        if self._encode_s:
            self._wait(self._encode_s)
        self.n_encoded += len(images)
        return [FakeFeatures(image[:, ::_STRIDE, ::_STRIDE].copy()) for image in images]

    def decode(self, items: Sequence[tuple[Features, PromptArrays]]) -> list[Decoded]:
        """One round for each item."""
        if self._decode_s:
            self._wait(self._decode_s)
        self.n_decoded += len(items)
        return [_answer(prompts) for _, prompts in items]

    def encode_text(self, text: str) -> TextStates:
        """A row for each word, made of its hash."""
        words = text.split()[: _TEXT.max_tokens]
        rows = [hashlib.sha256(word.encode()).digest()[: _TEXT.width] for word in words]
        states = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, _TEXT.width)
        return TextStates(states.astype(np.float32) / np.float32(255))


def _answer(prompts: PromptArrays) -> Decoded:
    n_objects = len(prompts.labels)
    inside = np.stack([_draw(prompts, index) for index in range(n_objects)])  # (n, h, w)
    named = prompts.text_mask.any(axis=1)
    said = (prompts.labels >= 0).sum(axis=1) + named  # (n,)
    return Decoded(
        mask_logits=np.where(inside, np.float32(MASK_LOGIT), np.float32(-MASK_LOGIT)),
        iou=(1 - 0.5 / (1 + said)).astype(np.float32),
        presence=np.array([one.any() for one in inside], np.float32),
        semantic=MANIFEST.vocabulary.embeddings[named.astype(np.intp)],
    )


def _draw(prompts: PromptArrays, index: int) -> Mask:
    """Object `index`'s mask, bool (h, w)."""
    inside: Mask = prompts.maps[index, MAP_NAMES.index("box")] > 0.5  # noqa: PLR2004  (half a cell)
    if prompts.has_previous[index]:
        inside |= prompts.previous_mask[index] > 0
    if prompts.text_mask[index].any():
        rows, columns = inside.shape
        inside[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4] = True
    for sign in (POSITIVE, NEGATIVE):
        for x, y in prompts.points[index][prompts.labels[index] == sign] / _STRIDE:
            inside[_disk(inside.shape, x, y)] = sign == POSITIVE
    return inside


def _disk(shape: tuple[int, ...], x: float, y: float) -> Mask:
    rows = np.arange(shape[0])[:, None] + 0.5 - y
    columns = np.arange(shape[1])[None, :] + 0.5 - x
    near: Mask = rows * rows + columns * columns <= RADIUS * RADIUS
    return near
