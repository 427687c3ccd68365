"""Answers that outlive the caches are the same, and spare nearly all rounds of a long chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_words import click, image

from seem_server.engine import shelf
from seem_server.engine.chains import Answer
from seem_server.engine.postprocess import Label
from seem_server.engine.readings import Reading
from seem_server.engine.worker import CacheConfig, Caches, Worker
from seem_server.engine.zoom import Window
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import MANIFEST, FakeBackend
from seem_server.runtime.onnx_backend import open_backend

NOISE = np.random.default_rng(0).normal(size=(3, 32, 40)).astype(np.float32)
CHAIN = tuple(range(1, 2 * shelf.EVERY + 4))
WINDOW = Window(1, 2, 3, 4)
ANSWERS = {
    "plain": Answer(NOISE[0], 0.1 + 0.2, None),
    "full": Answer(
        NOISE[0],
        1 / 3,
        Label("zebra", 0.7),
        0.9,
        (Reading(NOISE[1], 0.5, NOISE[2, 0]), Reading(NOISE[2], 0.1, NOISE[0, 0], WINDOW)),
        Window(10, 20, 30, 40),
    ),
}


class Counting:
    """A backend that counts rounds."""

    def __init__(self, backend):
        self._backend, self.n_decoded = backend, 0

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def decode(self, items):
        self.n_decoded += len(items)
        return self._backend.decode(items)


class Kept:
    """A shelf in memory, of bytes."""

    def __init__(self):
        self.kept = {}

    def keep(self, name, _image_key, answer):
        self.kept[name] = shelf.pack(answer)

    def first(self, names):
        found = [(name, shelf.unpack(self.kept[name])) for name in names if name in self.kept]
        return found[0] if found else None


def mask(backend, kept, work):
    """The answer of a worker of its own, that knows nothing but what is kept."""
    caches = Caches(CacheConfig())
    pixels = image()
    caches.images.put("k", pixels, pixels.nbytes)
    (answer,) = Worker(backend, caches, now=lambda: 0.0, shelf=kept).run([work])
    return answer.masks[0]


@pytest.fixture(params=["fake", "tiny"])
def backend(request):
    if request.param == "fake":
        return Counting(FakeBackend())
    return Counting(open_backend(read_bundle("tiny"), provider="cpu", n_threads=1))


@pytest.mark.parametrize("last", [CHAIN[-1], 2 * shelf.EVERY, 2 * shelf.EVERY + 1, shelf.EVERY + 5])
def test_a_chain_that_is_taken_up_ends_with_the_same_mask_after_a_few_rounds(backend, last):
    kept = Kept()
    undisturbed = mask(backend, None, click(*CHAIN[:last]))
    mask(backend, kept, click(*CHAIN))
    assert len(kept.kept) == 2
    backend.n_decoded = 0
    assert mask(backend, kept, click(*CHAIN[:last])) == undisturbed
    assert backend.n_decoded <= 2 * shelf.EVERY  # a small thing is looked at twice


def test_rounds_that_differ_before_it_take_nothing_from_the_shelf():
    backend, kept = Counting(FakeBackend()), Kept()
    mask(backend, kept, click(*CHAIN))
    backend.n_decoded = 0
    mask(backend, kept, click(*CHAIN[1:]))
    assert backend.n_decoded == len(CHAIN) - 1


def test_another_model_takes_nothing_from_the_shelf():
    kept = Kept()
    mask(FakeBackend(), kept, click(*CHAIN))
    other = Counting(FakeBackend())
    other.manifest = replace(MANIFEST, model_id="other@2")
    mask(other, kept, click(*CHAIN))
    assert other.n_decoded == len(CHAIN)


def test_where_there_is_no_shelf_all_is_made_again():
    assert shelf.NoShelf().first(["name"]) is None
    shelf.NoShelf().keep("name", "k", ANSWERS["plain"])


def parts(answer):
    """All of an answer, as comparable values."""
    others = [(one.logits.tobytes(), one.score, one.semantic.tobytes(), one.window)
              for one in answer.others]  # fmt: skip
    told = (answer.score, answer.label, answer.presence, answer.window)
    return answer.logits.tobytes(), answer.logits.shape, answer.logits.dtype, told, others


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_comes_back_to_the_bit(answer):
    assert parts(shelf.unpack(shelf.pack(answer))) == parts(answer)


def test_what_is_no_answer_is_told_so():
    good = shelf.pack(ANSWERS["full"])
    flipped = good[:200] + bytes([good[200] ^ 1]) + good[201:]
    for spoiled in (good[:-40], flipped, b"nothing", b""):
        with pytest.raises(ValueError, match="no answer"):
            shelf.unpack(spoiled)


def test_an_answer_of_another_version_is_none(monkeypatch):
    data = shelf.pack(ANSWERS["plain"])
    monkeypatch.setattr(shelf, "VERSION", 2)
    with pytest.raises(ValueError, match="logits 2"):
        shelf.unpack(data)
