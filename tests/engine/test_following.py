from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from seem_server.engine.work import Decode, Follow, Followed, ObjectRounds, Round, Seen, Trail
from seem_server.engine.worker import CacheConfig, Caches, Worker
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.runtime.onnx_backend import open_backend
from seem_wire import rle
from seem_wire.errors import ImageUnknown, NotOffered
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point

SIZE = (96, 128)
RED, BLUE, GREY = (220, 20, 20), (20, 20, 220), (128, 128, 128)
BLOCK = (24, 16, 48, 40)


def frame(*things):
    """An image (H, W, 3): grey, but for coloured boxes ((x0, y0, x1, y1), colour)."""
    pixels = np.full((*SIZE, 3), GREY, np.uint8)
    for (x0, y0, x1, y1), colour in things:
        pixels[y0:y1, x0:x1] = colour
    return pixels


def mask(x0, y0, x1, y1):
    inside = np.zeros(SIZE, np.bool_)
    inside[y0:y1, x0:x1] = True
    return inside


def moved(by, box=BLOCK):
    x0, y0, x1, y1 = box
    return x0 + by, y0, x1 + by, y1


def seen(key, box=BLOCK):
    return Seen(key, rle.encode(mask(*box)))


class Bench:
    """A worker that knows some frames."""

    def __init__(self, backend=None, **frames):
        ticks = count()
        self.backend = backend or FakeBackend()
        self.caches = Caches(CacheConfig())
        self.worker = Worker(self.backend, self.caches, now=lambda: float(next(ticks)))
        for key, pixels in frames.items():
            self.caches.images.put(key, pixels, pixels.nbytes)

    def follow(self, key, *trails):
        (answer,) = self.worker.run([Follow("session", 3, key, trails)])
        return answer


def overlap(one, box):
    inside, wanted = rle.decode(one.rle), mask(*box)
    return (inside & wanted).sum() / (inside | wanted).sum()


FIRST = frame((BLOCK, RED))


def test_an_object_is_followed_to_where_it_moved():
    bench = Bench(a=FIRST, b=frame((moved(16), RED)))
    answer = bench.follow("b", Trail(1, (seen("a"),), seen("a")))
    assert isinstance(answer, Followed)
    (one,) = answer.masks
    assert overlap(one, moved(16)) > 0.6  # the fake draws a disk, too, where it is clicked
    assert (one.object_id, one.round) == (1, 0)
    assert one.presence > 0.9


def test_an_object_that_is_not_there_has_an_empty_mask_and_says_so():
    bench = Bench(a=FIRST, b=frame())
    (one,) = bench.follow("b", Trail(1, (seen("a"),), seen("a"))).masks
    assert (one.area, one.box, one.label) == (0, None, None)
    assert one.presence < 0.5


def test_an_object_that_was_lost_is_found_again_anywhere():
    far = (96, 64, 120, 88)
    bench = Bench(a=FIRST, b=frame((far, RED)))
    (one,) = bench.follow("b", Trail(1, (seen("a"),))).masks
    assert overlap(one, far) > 0.5
    (jumped,) = bench.follow("b", Trail(1, (seen("a"),), seen("a"))).masks
    assert jumped == one


def test_masks_of_several_objects_do_not_overlap():
    other = moved(24)
    bench = Bench(a=frame((BLOCK, RED), (other, BLUE)), b=frame((BLOCK, RED), (other, BLUE)))
    trails = (
        Trail(1, (seen("a"),), seen("a")),
        Trail(2, (seen("a", other),), seen("a", other)),
    )
    first, second = (rle.decode(one.rle) for one in bench.follow("b", *trails).masks)
    assert first.any()
    assert second.any()
    assert not (first & second).any()


def test_a_correction_is_remembered_from_then_on():
    grown, more = (24, 16, 72, 40), (48, 16, 72, 40)
    bench = Bench(a=FIRST, b=frame((BLOCK, RED), (more, BLUE)), c=frame((BLOCK, RED), (more, BLUE)))
    (before,) = bench.follow("c", Trail(1, (seen("a"),))).masks
    (after,) = bench.follow("c", Trail(1, (seen("b", grown), seen("a")))).masks
    assert overlap(after, grown) > overlap(before, grown)


def test_what_is_followed_to_is_the_same_whatever_the_caches_hold():
    trail = Trail(1, (seen("a"),), seen("a"))
    bench = Bench(a=FIRST, b=frame((moved(8), RED)))
    first = bench.follow("b", trail).masks
    for cache in (bench.caches.features, bench.caches.places, bench.caches.memories):
        cache.clear()
    assert bench.follow("b", trail).masks == first


def test_frames_are_encoded_once_each_while_they_are_held():
    bench = Bench(a=FIRST, b=frame((moved(8), RED)))
    for _ in range(3):
        bench.follow("b", Trail(1, (seen("a"),), seen("a")))
    assert bench.backend.n_encoded == 2


@pytest.mark.parametrize("key", ["b", "lost"])
def test_a_frame_that_is_not_held_is_told(key):
    bench = Bench(a=FIRST)
    assert isinstance(bench.follow(key, Trail(1, (seen("a"),))), ImageUnknown)
    assert isinstance(Bench(b=FIRST).follow("b", Trail(1, (seen("lost"),))), ImageUnknown)


def test_a_model_that_tells_no_places_apart_follows_nothing(monkeypatch):
    bench = Bench(a=FIRST, b=FIRST)
    monkeypatch.setattr("seem_server.runtime.specs.APPEARANCE", ("missing",))
    assert isinstance(bench.follow("b", Trail(1, (seen("a"),))), NotOffered)


def test_a_correction_begins_with_the_mask_that_was_followed_there():
    bench = Bench(a=FIRST)
    away = ObjectPrompt(points=(Point(36, 28, positive=False),))
    rounds = ObjectRounds(1, (Round(4, away),), rle.encode(mask(8, 8, 120, 88)))
    (answer,) = bench.worker.run([Decode("session", 4, "a", (rounds,))])
    left = rle.decode(answer.masks[0].rle)
    assert left[60, 100]
    assert not left[28, 36]


def test_what_is_near_goes_before_what_looks_the_same_elsewhere():
    far = (96, 64, 120, 88)
    bench = Bench(a=FIRST, b=frame((moved(8), RED), (far, RED)))
    (one,) = bench.follow("b", Trail(1, (seen("a"),), seen("a"))).masks
    assert not rle.decode(one.rle)[64:88, 96:120].any()


def test_what_was_seen_in_the_frame_before_is_believed_in_more_readily(monkeypatch):
    monkeypatch.setattr("seem_server.engine.matching.presence", lambda *_: 0.3)
    bench = Bench(a=FIRST, b=frame((moved(8), RED)))
    (followed,) = bench.follow("b", Trail(1, (seen("a"),), seen("a"))).masks
    (searched,) = bench.follow("b", Trail(1, (seen("a"),))).masks
    assert followed.area > 0
    assert searched.area == 0


def test_a_mask_that_is_to_be_taken_as_given_is_to_the_pixel():
    ragged = np.random.default_rng(0).random(SIZE) > 0.5
    prompt = ObjectPrompt(mask=MaskPrompt(ragged))
    bench = Bench(a=FIRST)
    rounds = ObjectRounds(1, (Round(4, prompt, as_given=True),))
    (answer,) = bench.worker.run([Decode("session", 4, "a", (rounds,))])
    assert (rle.decode(answer.masks[0].rle) == ragged).all()


def test_a_real_network_follows_and_does_so_again_to_the_bit():
    bench = Bench(open_backend(read_bundle("tiny")), a=FIRST, b=frame((moved(8), RED)))
    trail = Trail(1, (seen("a"),), seen("a"))
    first = bench.follow("b", trail).masks
    bench.caches.features.clear()
    bench.caches.places.clear()
    bench.caches.memories.clear()
    assert bench.follow("b", trail).masks == first
