"""Short words to give an engine work with, and a backend that waits until it is told to go on."""

from __future__ import annotations

import threading
from functools import cache

import numpy as np

from seem_server.engine.engine import Engine
from seem_server.engine.work import Decode, Follow, ObjectRounds, Round, Seen, Trail
from seem_server.runtime.fake_backend import FakeBackend
from seem_wire import rle
from seem_wire.prompts import ObjectPrompt, Point

PATIENCE_S = 20.0


def image(height=120, width=160, *, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def points(*xy):
    return ObjectPrompt(points=tuple(Point(x, y) for x, y in xy))


@cache
def clicks(n):
    """All that was said after `n` clicks, side by side."""
    return points(*((20.5 + 10 * i, 60.5) for i in range(n)))


def rounds(*seqs, object_id=1):
    """An object that was clicked once by each command."""
    return ObjectRounds(object_id, tuple(Round(seq, clicks(seq)) for seq in seqs))


def click(*seqs, session="s", key="k", objects=(1,)):
    """The Decode of the last of these commands, each of which clicked the objects once."""
    asked = tuple(rounds(*seqs, object_id=one) for one in objects)
    return Decode(session, seqs[-1], key, asked)


def follow(seq=1, *, session="s", key="k", seen="seen", objects=(1,)):
    """Objects that one pixel was the first of in the frame `seen`, to be followed to `key`."""
    known = Seen(seen, rle.encode(np.eye(120, 160, dtype=np.bool_)))
    return Follow(session, seq, key, tuple(Trail(one, (known,), known) for one in objects))


class Gate:
    """What a slow backend waits at: it stops there until `let_pass`."""

    def __init__(self):
        self._came = threading.Semaphore(0)
        self._passes = threading.Semaphore(0)

    def __call__(self, _seconds):
        self._came.release()
        if not self._passes.acquire(timeout=PATIENCE_S):
            raise TimeoutError("nobody opened the gate")

    def wait_for_somebody(self):
        assert self._came.acquire(timeout=PATIENCE_S)

    def let_pass(self, times=1):
        self._passes.release(times)


class BrokenBackend(FakeBackend):
    """Raises what is in `faults`, one a call of decode, before it works again."""

    def __init__(self, *faults):
        super().__init__()
        self.faults = list(faults)

    def decode(self, items):
        if self.faults:
            raise self.faults.pop(0)
        return super().decode(items)


def engine(backend=None, config=None, *, keys=("k",), **options):
    """An engine that holds an image under each key."""
    made = Engine(lambda: backend or FakeBackend(), config, **options)
    for seed, key in enumerate(keys):
        made.put_image(key, image(seed=seed))
    return made
