"""A refined backend that is asked for everything by clicks, and images made for it.

A click is answered with the connected blob of the colour under it; what a colour means is a name.
Its other readings are a part (the blob's upper half), and a group (all blobs of the colour).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from seem_server.runtime.backend import Decoded, Hypotheses, PixelMeanings, TextStates
from seem_server.runtime.fake_backend import MANIFEST, FakeBackend
from seem_server.runtime.specs import ClicksSpec, EverythingSpec, Vocabulary

COLOURS = {
    "cat": (220, 30, 30),
    "sofa": (30, 200, 30),
    "cup": (230, 220, 40),
    "sky": (40, 60, 220),
    "grass": (20, 90, 60),
    "nothing": (128, 128, 128),
}
NAMES = tuple(COLOURS)
N_THINGS = 3
SCALE = 20.0
WIDTH = MANIFEST.text.width
EMBEDDINGS = np.eye(len(NAMES), WIDTH, dtype=np.float32)
MEANINGS = EMBEDDINGS + np.float32(0.3) * EMBEDDINGS[-1]  # all is a little like none of the names
MEANINGS /= np.linalg.norm(MEANINGS, axis=1, keepdims=True)
CLICKS = ClicksSpec(most=48, iou=0.6, stability=0.7, swing=1.0)
SPEC = EverythingSpec(threshold=0.3, overlap=0.5, n_things=N_THINGS, instances=20, clicks=CLICKS)
MANIFEST_OF_BLOBS = replace(
    MANIFEST, everything=SPEC, vocabulary=Vocabulary(NAMES, SCALE, EMBEDDINGS)
)
_PALETTE = np.array(list(COLOURS.values()), np.float32)
_LOGIT = 4.0


class BlobBackend(FakeBackend):
    """Answers a click with what is under it, by its colour."""

    manifest = MANIFEST_OF_BLOBS

    def __init__(self, **options):
        super().__init__(**options)
        self.clicked = []

    def find(self, _features):
        raise AssertionError("a refined model is asked by clicks")

    def decode(self, items):
        if self._decode_s:
            self._wait(self._decode_s)
        self.n_decoded += len(items)
        return [self._blob(features, prompts) for features, prompts in items]

    def meanings(self, features):
        coarse = _kinds(features.image[:, ::2, ::2])
        return PixelMeanings(MEANINGS[coarse].transpose(2, 0, 1).copy(), SCALE)

    def encode_text(self, text):
        word = text.rstrip(".")
        index = NAMES.index({"puma": "cat", "meadow": "grass"}.get(word, word))
        return TextStates(EMBEDDINGS[index : index + 1], EMBEDDINGS[index])

    def _blob(self, features, prompts):
        x, y = prompts.points[0, 0] / 4
        self.clicked.append((int(x), int(y)))
        kinds = _kinds(features.image)
        kind = kinds[int(y), int(x)]
        blobs, _ = ndimage.label(kinds == kind)
        blob = blobs == blobs[int(y), int(x)]
        top = np.flatnonzero(blob.any(axis=1))
        part = blob.copy()
        part[(top[0] + top[-1]) // 2 + 1 :] = False
        masks = np.stack([blob, part, kinds == kind])
        logits = np.where(masks, np.float32(_LOGIT), np.float32(-_LOGIT))
        iou = np.array([0.9, 0.7, 0.65], np.float32)
        meanings = np.repeat(MEANINGS[kind][None], 3, axis=0)
        return Decoded(
            logits[:1],
            iou[:1],
            np.ones(1, np.float32),
            meanings[:1],
            Hypotheses(logits[None, 1:], iou[None, 1:], meanings[None, 1:]),
        )


def _kinds(image):
    """The nearest colour's index of each place, of a network input's part (3, h, w)."""
    pixels = image * 127.5 + 127.5
    distances = [((pixels - colour[:, None, None]) ** 2).sum(axis=0) for colour in _PALETTE]
    return np.stack(distances).argmin(axis=0)


def paint(*rectangles, height=192, width=256, ground="sky"):
    """An image of rectangles (name, x0, y0, x1, y1), each over those before it."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = COLOURS[ground]
    for name, x0, y0, x1, y1 in rectangles:
        pixels[y0:y1, x0:x1] = COLOURS[name]
    return pixels


ROOM = (
    ("grass", 0, 128, 256, 192),
    ("sofa", 16, 72, 144, 160),
    ("cat", 48, 88, 96, 128),
    ("cat", 176, 96, 240, 152),
    ("cup", 160, 24, 176, 40),
)
"""A cat on a sofa and one on the grass, beneath the sky, and a small cup."""

N_CROWD = 20
CROWD = tuple(
    ("cat", 10 + 50 * (n % 5), 8 + 46 * (n // 5), 42 + 50 * (n % 5), 38 + 46 * (n // 5))
    for n in range(N_CROWD)
)
"""Twenty cats in rows beneath the sky."""


def scatter(seed, *, n=25, height=384, width=512):
    """An image of `n` rectangles of all sizes and names, some before others."""
    rng = np.random.default_rng(seed)
    rectangles = []
    for _ in range(n):
        sides = np.exp(rng.uniform(np.log(12), np.log(200), 2)).astype(int)
        x, y = rng.integers(0, width - 10), rng.integers(0, height - 10)
        name = NAMES[rng.integers(0, len(NAMES) - 1)]
        rectangles.append((name, x, y, x + sides[0], y + sides[1]))
    return paint(*rectangles, height=height, width=width)


def things_of(pixels, *, least):
    """The masks and names of all things in an image of blobs of at least so many pixels."""
    for name in NAMES[:N_THINGS]:
        blobs, n_blobs = ndimage.label((pixels == COLOURS[name]).all(axis=-1))
        for blob in range(1, n_blobs + 1):
            if np.count_nonzero(blobs == blob) >= least:
                yield blobs == blob, name
