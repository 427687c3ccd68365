from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from blobs import MANIFEST_OF_BLOBS, ROOM, BlobBackend, paint
from engine_words import click, clicks, image, points, rounds
from query_bundles import write_query_bundle

from seem_server.engine.looking import CLICKS_AT_ONCE
from seem_server.engine.preprocess import Prepared
from seem_server.engine.work import (
    Decode,
    Encode,
    Encoded,
    Everything,
    MasksReady,
    ObjectRounds,
    Round,
    SegmentsReady,
)
from seem_server.engine.worker import WORDS_AT_ONCE, CacheConfig, Caches, Unfinished, Worker
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import MANIFEST, FakeBackend
from seem_server.runtime.onnx_backend import open_backend
from seem_wire import rle
from seem_wire.errors import ImageUnknown, Internal, MaskSizeMismatch, NotOffered
from seem_wire.prompts import Box, ExamplePrompt, MaskPrompt, ObjectPrompt, Point
from seem_wire.types import PromptKind, SegmentKind


class Bench:
    """A worker with its backend and caches, and a clock that ticks a second at each look."""

    def __init__(self, backend=None, config=None, *, keys=("k",)):
        ticks = count()
        self.backend = backend or FakeBackend()
        self.caches = Caches(config or CacheConfig())
        self.worker = Worker(self.backend, self.caches, now=lambda: float(next(ticks)))
        for key in keys:
            pixels = image()
            self.caches.images.put(key, pixels, pixels.nbytes)

    def run(self, *works):
        return self.worker.run(works)

    def mask(self, work):
        (answer,) = self.run(work)
        return answer.masks[0]

    def forget_answers(self):
        self.caches.answers.clear()
        self.caches.drawings.clear()


@pytest.fixture
def bench():
    return Bench()


def said(*prompts):
    """A Decode of one object with these rounds."""
    asked = ObjectRounds(1, tuple(Round(seq, one) for seq, one in enumerate(prompts, 1)))
    return Decode("s", len(prompts), "k", (asked,))


def test_encoding_makes_features_ready(bench):
    (first,), (second,) = bench.run(Encode("s", "k")), bench.run(Encode("s", "k"))
    assert isinstance(first, Encoded)
    assert [first.cache_hit, second.cache_hit] == [False, True]
    assert bench.backend.n_encoded == 1


def test_an_image_is_kept_resized_once_it_was_used(bench):
    before = bench.caches.images.n_bytes
    bench.run(Encode("s", "k"))
    assert isinstance(bench.caches.images.get("k"), Prepared)
    assert bench.caches.images.n_bytes != before


def test_images_of_one_shape_are_encoded_in_one_call():
    calls = []

    class Counting(FakeBackend):
        def encode(self, images):
            calls.append(len(images))
            return super().encode(images)

    bench = Bench(Counting(), keys=("a", "b"))
    tall = image(160, 120)
    bench.caches.images.put("c", tall, tall.nbytes)
    bench.run(*(Encode(key, key) for key in ("a", "b", "c", "a")))
    assert sorted(calls) == [1, 2]


def test_a_click_is_answered_with_the_mask_around_it(bench):
    answer = bench.mask(said(points((80.5, 60.5))))
    mask = rle.decode(answer.rle)
    assert mask.shape == (120, 160)
    assert mask[60, 80]
    assert answer.area == mask.sum()
    assert answer.box == rle.box(answer.rle)
    assert (answer.label, answer.round) == ("thing", 1)


def test_a_mask_that_is_given_is_the_answer_to_the_pixel(bench):
    mask = np.random.default_rng(0).random((120, 160)) < 0.5
    given = Round(1, ObjectPrompt(mask=MaskPrompt(mask)), as_given=True)
    answer = bench.mask(Decode("s", 1, "k", (ObjectRounds(1, (given,)),)))
    assert answer.rle == rle.encode(mask)
    assert answer.hypotheses == ()
    refined = bench.mask(said(given.prompt))
    assert refined.rle != answer.rle


def test_a_correction_begins_with_what_was_known_and_goes_on_from_there(bench):
    square = np.zeros((120, 160), np.bool_)
    square[40:100, 30:120] = True
    away = ObjectPrompt(points=(Point(40.5, 60.5, positive=False),))
    more = ObjectPrompt(points=(*away.points, Point(140.5, 20.5)))
    chain = ObjectRounds(1, (Round(1, away), Round(2, more)), rle.encode(square))
    one, both = (replace(chain, rounds=chain.rounds[:n]) for n in (1, 2))
    first, second = (
        rle.decode(bench.mask(Decode("s", 2, "k", (asked,))).rle) for asked in (one, both)
    )
    assert not first[60, 40]
    assert first[80, 100]
    assert second[20, 140]
    assert second[80, 100]
    assert not second[60, 40]
    bench.forget_answers()
    again = bench.mask(Decode("s", 2, "k", (both,)))
    assert (rle.decode(again.rle) == second).all()
    assert again.round == 2


def test_the_first_mask_is_all_change(bench):
    answer = bench.mask(click(1))
    assert answer.changed == answer.box


def test_a_later_mask_tells_where_it_differs_from_the_one_before(bench):
    before, after = bench.mask(click(1)), bench.mask(click(1, 5))
    assert after.round == 2
    assert after.changed == rle.changed_box(before.rle, after.rle) != after.box


def test_a_mask_that_did_not_change_has_no_changed_box(bench):
    assert bench.mask(said(clicks(2), clicks(2))).changed is None


def test_a_round_remembers_the_mask_of_the_round_before(bench):
    first, second = points((30.5, 30.5)), points((120.5, 90.5))
    assert rle.decode(bench.mask(said(first, second)).rle)[30, 30]
    assert not rle.decode(bench.mask(said(second)).rle)[30, 30]


# --- what else may have been meant


class Undecided(FakeBackend):
    """Likes the second of its hypotheses best."""

    def decode(self, items):
        return [
            replace(
                one,
                iou=np.array([0.5], np.float32),
                hypotheses=replace(one.hypotheses, iou=np.array([[0.4, 0.9, 0.3]], np.float32)),
            )
            for one in super().decode(items)
        ]


HERE = points((80.5, 60.5))


def wanting(*prompts, choice=None):
    """A Decode whose last round wants hypotheses, and perhaps was a choice."""
    (one,) = said(*prompts).objects
    last = replace(one.rounds[-1], wants_hypotheses=choice is None, choice=choice)
    rounds_ = (*one.rounds[:-1], last)
    return Decode("s", len(prompts), "k", (ObjectRounds(1, rounds_),))


def test_an_ambiguous_click_is_answered_by_the_likeliest_reading():
    undecided, main = Bench(Undecided()), Bench()
    assert undecided.mask(said(HERE)).area > main.mask(said(HERE)).area
    assert undecided.mask(said(HERE)).score == pytest.approx(0.9)
    clear = said(replace(HERE, text="zebra"))
    assert undecided.mask(clear).rle == main.mask(clear).rle


def test_hypotheses_come_with_a_mask_where_they_are_wanted():
    bench = Bench(Undecided())
    assert bench.mask(said(HERE)).hypotheses == ()
    answer = bench.mask(wanting(HERE))
    assert [one.score for one in answer.hypotheses] == pytest.approx([0.9, 0.5, 0.4, 0.3])
    first = answer.hypotheses[0]
    assert (first.rle, first.box, first.area) == (answer.rle, answer.box, answer.area)
    assert len({one.rle for one in answer.hypotheses}) == 4
    assert all(one.area == rle.area(one.rle) for one in answer.hypotheses)
    assert bench.backend.n_decoded == 1


def test_a_model_with_one_reading_offers_that():
    class Single(FakeBackend):
        def decode(self, items):
            return [replace(one, hypotheses=None) for one in super().decode(items)]

    answer = Bench(Single()).mask(wanting(HERE))
    assert [one.rle for one in answer.hypotheses] == [answer.rle]


@pytest.mark.parametrize("choice", [0, 1, 2, 3])
def test_a_choice_is_answered_by_what_was_sent_in_that_place(choice):
    bench = Bench(Undecided())
    offered = bench.mask(wanting(HERE)).hypotheses
    for _ in range(2):
        answer = bench.mask(wanting(HERE, choice=choice))
        assert (answer.rle, answer.score) == (offered[choice].rle, offered[choice].score)
        assert answer.hypotheses == ()
        bench.forget_answers()


def test_later_rounds_remember_what_was_chosen():
    bench = Bench(Undecided())
    areas = set()
    for choice in (None, 2, 3):
        (one,) = wanting(HERE, choice=choice).objects
        later = Round(2, replace(HERE, text="zebra"))
        areas.add(bench.mask(Decode("s", 2, "k", (ObjectRounds(1, (*one.rounds, later)),))).area)
    assert len(areas) == 3


def test_what_is_drawn_with_evidence_is_not_what_is_remembered(bench):
    away = replace(HERE, negative_boxes=(Box(0, 0, 160, 58),))
    bench.run(said(away))
    (one,) = said(away).objects
    logits = bench.caches.answers.get(one.memory_keys("k")[0]).logits
    assert set(np.unique(logits)) == {-4, 4}


# --- presence


class Threshold(FakeBackend):
    """Takes for absent what is there with less than even chances; `presence` is what it says."""

    def __init__(self, presence):
        super().__init__()
        self.manifest = replace(MANIFEST, presence_threshold=0.5)
        self.presence = presence

    def decode(self, items):
        said = np.array([self.presence], np.float32)
        return [replace(one, presence=said) for one in super().decode(items)]


NAMED = ObjectPrompt(text="zebra")


def test_a_named_object_that_is_not_there_has_an_empty_mask():
    answer = Bench(Threshold(0.25)).mask(wanting(NAMED))
    assert (answer.area, answer.box, answer.presence) == (0, None, 0.25)
    assert (answer.label, answer.label_probability) == (None, None)
    assert answer.score > 0
    assert answer.hypotheses == ()
    assert answer.changed is None


def test_what_is_there_or_was_pointed_at_has_its_mask():
    assert Bench(Threshold(0.75)).mask(said(NAMED)).area > 0
    answer = Bench(Threshold(0.25)).mask(said(NAMED, replace(HERE, text="zebra")))
    assert answer.area > 0
    assert (answer.changed, answer.presence) == (answer.box, 0.25)


class Forgetful(FakeBackend):
    """Notes for each round whether it was given a mask to build on."""

    def __init__(self, *presences):
        super().__init__()
        self.manifest = replace(MANIFEST, presence_threshold=0.5)
        self.presences = list(presences)
        self.remembered = []

    def decode(self, items):
        self.remembered += [bool(arrays.has_previous) for _, arrays in items]
        said = np.array([self.presences.pop(0)], np.float32)
        return [replace(one, presence=said) for one in super().decode(items)]


def test_another_word_does_not_build_on_the_mask_of_the_first():
    backend = Forgetful(0.9, 0.9)
    Bench(backend).mask(said(NAMED, ObjectPrompt(text="cup")))
    assert backend.remembered == [False, False]


@pytest.mark.parametrize(("presence", "remembered"), [(0.9, True), (0.1, False)])
def test_a_click_builds_on_the_mask_of_a_word_only_if_that_was_found(presence, remembered):
    backend = Forgetful(presence, 0.9)
    Bench(backend).mask(said(NAMED, replace(HERE, text="zebra")))
    assert backend.remembered == [False, remembered]


def test_without_a_threshold_nothing_is_absent(bench):
    answer = bench.mask(said(NAMED))
    assert (answer.area > 0, answer.presence) == (True, 1.0)


def test_a_known_round_is_not_decoded_again(bench):
    bench.run(click(1))
    bench.run(click(1, 2))
    assert bench.backend.n_decoded == 2
    bench.run(click(1), click(1, 2))
    assert bench.backend.n_decoded == 2


def test_lost_rounds_are_made_again_bit_by_bit(bench):
    expected = bench.mask(click(1, 2, 3, 4))
    bench.forget_answers()
    assert bench.mask(click(1, 2, 3, 4)) == expected


def test_a_chain_begins_at_the_latest_round_that_is_known(bench):
    bench.run(click(1, 2, 3))
    decoded = bench.backend.n_decoded
    bench.run(click(1, 2, 3, 4))
    assert bench.backend.n_decoded == decoded + 1


def test_what_changed_is_told_although_the_round_before_was_lost(bench):
    expected = bench.mask(click(1, 5))
    known = bench.caches.answers.get(rounds(1, 5).memory_keys("k")[1])
    bench.forget_answers()
    bench.caches.answers.put(rounds(1, 5).memory_keys("k")[1], known, known.logits.nbytes)
    assert bench.mask(click(1, 5)) == expected


def test_caches_of_no_size_change_no_mask(bench):
    work = click(1, 2, 3, objects=(1, 2))
    (forgetful,) = Bench(config=CacheConfig(0, 0, 0, 0)).run(work)
    assert forgetful.masks == bench.run(work)[0].masks


def test_objects_are_answered_side_by_side_whatever_the_length_of_their_chains(bench):
    work = Decode("s", 3, "k", (rounds(1, 2, 3, object_id=1), rounds(3, object_id=2)))
    (answer,) = bench.run(work)
    assert [(one.object_id, one.round) for one in answer.masks] == [(1, 3), (2, 1)]
    assert answer.masks[1] == Bench().run(Decode("s", 3, "k", work.objects[1:]))[0].masks[0]


def given_mask(x0, x1):
    mask = np.zeros((120, 160), np.bool_)
    mask[20:100, x0:x1] = True
    return MaskPrompt(mask)


def test_a_mask_prompt_is_where_the_first_round_starts_from(bench):
    mask = rle.decode(bench.mask(said(ObjectPrompt(mask=given_mask(10, 150)))).rle)
    assert mask[60, 15]
    assert mask[25, 140]


def test_a_mask_that_comes_later_takes_the_place_of_the_memory(bench):
    far = points((15.5, 60.5))
    both = ObjectPrompt(points=points((120.5, 60.5)).points, mask=given_mask(90, 150))
    assert not rle.decode(bench.mask(said(far, both)).rle)[60, 15]


def test_a_mask_that_was_there_before_is_not_taken_again(bench):
    mask = given_mask(90, 150)
    first = ObjectPrompt(mask=mask)
    copied = ObjectPrompt(points=points((15.5, 60.5)).points, mask=MaskPrompt(mask.mask.copy()))
    third = ObjectPrompt(points=(), box=Box(1, 1, 9, 9), mask=mask)
    assert rle.decode(bench.mask(said(first, copied, third)).rle)[60, 15]


def test_a_text_is_encoded_once():
    calls = []

    class Counting(FakeBackend):
        def encode_text(self, text):
            calls.append(text)
            return super().encode_text(text)

    bench = Bench(Counting())
    answer = bench.mask(said(ObjectPrompt(text="red bus")))
    bench.run(said(ObjectPrompt(text="red bus"), clicks(1)))
    assert answer.label == "named thing"
    assert calls == ["red bus"]


def test_a_text_that_one_owner_has_read_is_read_anew_for_another():
    calls = []

    class Counting(FakeBackend):
        def encode_text(self, text):
            calls.append(text)
            return super().encode_text(text)

    bench = Bench(Counting())
    theirs = replace(said(ObjectPrompt(text="bus")), owner="acme")
    asked = Everything("s", 9, theirs.image_key, SegmentKind.INSTANCE, ("bus",))
    for work in (theirs, replace(asked, owner="rival"), replace(asked, owner="acme"), asked):
        bench.run(work)
    assert calls == ["bus", "bus", "bus"]


def test_a_text_that_cannot_be_read_fails_its_own_work_alone():
    class Illiterate(FakeBackend):
        def encode_text(self, text):
            raise NotOffered(f"cannot read {text}")

    refused, answered = Bench(Illiterate()).run(said(ObjectPrompt(text="bus")), click(1))
    assert isinstance(refused, NotOffered)
    assert isinstance(answered, MasksReady)


def test_an_image_that_is_gone_fails_its_own_work_alone(bench):
    gone, answered = bench.run(click(1, key="gone"), click(1))
    assert isinstance(gone, ImageUnknown)
    assert isinstance(answered, MasksReady)


def test_features_do_without_the_pixels(bench):
    bench.run(Encode("s", "k"))
    bench.caches.images.clear()
    assert bench.run(click(1))[0].cache_hit


def test_a_score_that_is_no_number_is_the_servers_fault():
    class Confused(FakeBackend):
        def decode(self, items):
            answers = super().decode(items)
            answers[0].iou[:] = np.nan
            return answers

    with pytest.raises(Internal):
        Bench(Confused()).run(click(1))


def test_timings_tell_where_the_time_went(bench):
    (answer,) = bench.run(click(1))
    spent = answer.timings
    assert (spent.encode_ms, spent.decode_ms, spent.post_ms) == (1000, 1000, 1000)


# --- examples


def example(x0, x1, *, key="other", size=(120, 160)):
    mask = np.zeros(size, np.bool_)
    mask[20:100, x0:x1] = True
    return ObjectPrompt(example=ExamplePrompt(key, mask))


@pytest.fixture
def two():
    return Bench(keys=("k", "other"))


def test_an_example_is_shown_in_its_own_image(two):
    mask = rle.decode(two.mask(said(example(10, 50))).rle)
    assert mask[60, 120]
    assert not mask[60, 40]
    assert {"k", "other"} <= set(two.caches.features._values)


def test_an_example_is_encoded_once_whoever_shows_it():
    calls = []

    class Counting(FakeBackend):
        def encode_example(self, features, points):
            calls.append(len(points))
            return super().encode_example(features, points)

    bench = Bench(Counting(), keys=("k", "other", "third"))
    bench.run(said(example(10, 50)))
    bench.forget_answers()
    bench.run(said(example(10, 50)), said(example(10, 50), clicks(1)))
    assert calls == [512]
    bench.run(said(example(10, 51)), said(example(10, 50, key="third")))
    assert calls == [512] * 3


def test_the_image_of_an_example_may_go_once_its_tokens_are_known(two):
    two.run(said(example(10, 50)))
    two.forget_answers()
    two.caches.images.clear()
    two.run(Encode("s", "k"))
    assert isinstance(two.run(said(example(10, 50), clicks(1)))[0], MasksReady)


def test_an_example_whose_image_is_gone_fails_its_own_work_alone(bench):
    refused, answered = bench.run(said(example(10, 50)), click(1))
    assert isinstance(refused, ImageUnknown)
    assert "other" in refused.message
    assert isinstance(answered, MasksReady)


def test_an_examples_mask_must_be_of_its_images_size(two):
    (refused,) = two.run(said(example(10, 50, size=(120, 161))))
    assert isinstance(refused, MaskSizeMismatch)


class Modest(FakeBackend):
    """Offers neither examples nor everything."""

    manifest = replace(FakeBackend.manifest, prompts=frozenset({PromptKind.POINT}), everything=None)


def test_what_a_bundle_does_not_offer_fails_its_own_work_alone():
    bench = Bench(Modest(), keys=("k", "other"))
    outcomes = bench.run(said(example(10, 50)), everything(), click(1))
    assert [type(one) for one in outcomes] == [NotOffered, NotOffered, MasksReady]


# --- everything


def everything(kind=SegmentKind.PANOPTIC, **asked):
    return Everything("s", 1, "k", kind, **asked)


def segments(bench, work):
    """The segments, after as many turns as it takes."""
    outcome = Unfinished(work)
    while isinstance(outcome, Unfinished):
        (outcome,) = bench.run(work)
    return outcome.finish(now=lambda: 0.0)


def test_everything_is_segments_with_their_names(bench):
    answer = segments(bench, everything())
    assert isinstance(answer, SegmentsReady)
    assert [(one.object_id, one.label, one.is_thing) for one in answer.segments] == [
        (1, "thing", True),
        (2, "named thing", False),
    ]
    assert sum(one.area for one in answer.segments) == 120 * 160


@pytest.mark.parametrize("kind", SegmentKind)
def test_all_kinds_of_segments_rest_on_one_look_at_the_image(bench, kind):
    segments(bench, everything())
    assert segments(bench, everything(kind)).segments
    assert bench.backend.n_found == 1


def test_what_was_found_and_lost_is_found_again():
    forgetful = Bench(config=CacheConfig(findings_bytes=0), keys=("k", "l"))
    expected = segments(forgetful, everything()).segments
    forgetful.run(replace(everything(), image_key="l"))
    assert segments(forgetful, everything()).segments == expected
    assert forgetful.backend.n_found == 3


def test_names_of_ones_own_are_looked_for(bench):
    answer = segments(bench, everything(vocabulary=("red", "blue sky"), threshold=0.0))
    assert {one.label for one in answer.segments} <= {"red", "blue sky"}


def test_a_long_vocabulary_is_read_in_turns_and_gives_the_same():
    words = tuple(f"word {n}" for n in range(3 * WORDS_AT_ONCE))
    work = everything(vocabulary=words, threshold=0.0)
    bench = Bench()
    turns = 1
    while isinstance(bench.run(work)[0], Unfinished):
        turns += 1
    assert turns == 3
    forgetful = Bench(config=CacheConfig(texts_bytes=0))
    assert segments(forgetful, work).segments == segments(bench, work).segments


def test_a_name_that_cannot_be_read_fails_its_own_work_alone():
    class Illiterate(FakeBackend):
        def encode_text(self, text):
            raise NotOffered(f"cannot read {text}")

    refused, answered = Bench(Illiterate()).run(everything(vocabulary=("bus",)), click(1))
    assert isinstance(refused, NotOffered)
    assert isinstance(answered, MasksReady)


def test_everything_in_an_image_that_is_gone_fails(bench):
    (refused,) = bench.run(replace(everything(), image_key="gone"))
    assert isinstance(refused, ImageUnknown)


def test_an_object_that_is_none_of_the_bundles_names_has_no_label():
    class Puzzled(FakeBackend):
        def decode(self, items):
            answers = super().decode(items)
            return [replace(one, semantic=MANIFEST.vocabulary.embeddings[-1:]) for one in answers]

    assert Bench(Puzzled()).mask(click(1)).label is None


# --- everything by clicks


class Fickle(BlobBackend):
    """Keeps nobody's mask: all clicks are tried."""

    def decode(self, items):
        return [replace(one, iou=one.iou * 0, hypotheses=None) for one in super().decode(items)]


def room_bench(backend=None, config=None, *, keys=("k",)):
    bench = Bench(backend or BlobBackend(), config, keys=())
    for key in keys:
        pixels = paint(*ROOM)
        bench.caches.images.put(key, pixels, pixels.nbytes)
    return bench


def turns(bench, work):
    """All outcomes, until there is something to draw."""
    outcomes = bench.run(work)
    while isinstance(outcomes[-1], Unfinished):
        outcomes += bench.run(outcomes[-1].work)
    return outcomes


def by_clicks(bench, work):
    return turns(bench, work)[-1].finish(now=lambda: 0.0).segments


def test_an_image_is_asked_for_everything_by_clicks():
    bench = room_bench()
    got = by_clicks(bench, everything())
    assert sorted((one.label, one.is_thing) for one in got) == [
        ("cat", True),
        ("cat", True),
        ("cup", True),
        ("grass", False),
        ("sky", False),
        ("sofa", True),
    ]
    assert sum(one.area for one in got) == pytest.approx(192 * 256, rel=0.01)
    assert bench.backend.n_decoded == 6


@pytest.mark.parametrize("kind", SegmentKind)
def test_a_search_answers_all_questions_about_its_image(kind):
    bench = room_bench()
    by_clicks(bench, everything())
    assert by_clicks(bench, everything(kind, vocabulary=("puma", "meadow")))
    assert bench.backend.n_decoded == 6


def test_a_long_search_gives_way_after_some_clicks():
    bench = room_bench(Fickle())
    outcomes = turns(bench, everything())
    most = MANIFEST_OF_BLOBS.everything.clicks.most
    assert len(outcomes) == most // CLICKS_AT_ONCE
    assert bench.backend.n_decoded == most
    waited = [one.work.n_clicks for one in outcomes[:-1]]
    assert waited == list(range(CLICKS_AT_ONCE, most, CLICKS_AT_ONCE))


def test_a_search_comes_to_its_end_although_it_is_forgotten_every_time():
    forgetful = room_bench(Fickle(), CacheConfig(findings_bytes=0), keys=("k", "l"))
    mine, yours = everything(), replace(everything(), image_key="l")
    n_turns = 0
    while not isinstance(mine, SegmentsReady):
        (outcome,), (other,) = forgetful.run(mine), forgetful.run(yours)
        yours = other.work
        is_over = not isinstance(outcome, Unfinished)
        mine = outcome.finish(now=lambda: 0.0) if is_over else outcome.work
        n_turns += 1
    assert n_turns == MANIFEST_OF_BLOBS.everything.clicks.most // CLICKS_AT_ONCE


@pytest.mark.parametrize("at_once", [1, 3])
def test_what_is_found_does_not_depend_on_turns_or_on_what_was_lost(monkeypatch, at_once):
    expected = by_clicks(room_bench(), everything())
    monkeypatch.setattr("seem_server.engine.looking.CLICKS_AT_ONCE", at_once)
    bench = room_bench()
    assert len(turns(bench, everything())) > 1
    assert by_clicks(bench, everything()) == expected
    bench.caches.findings.clear()
    assert by_clicks(bench, everything()) == expected


def test_a_search_that_was_begun_for_one_goes_on_for_another():
    bench = room_bench(Fickle())
    (begun,) = bench.run(everything())
    outcomes = turns(bench, replace(everything(), session_id="other"))
    assert outcomes[0].work.n_clicks == 2 * begun.work.n_clicks
    assert bench.backend.n_decoded == MANIFEST_OF_BLOBS.everything.clicks.most


def test_what_a_search_found_counts_for_the_cache():
    bench = room_bench()
    turns(bench, everything())
    assert bench.caches.findings.n_bytes > 6 * 2 * 48 * 64


def test_a_bundle_that_gives_places_no_meaning_fails_its_own_work_alone():
    class Mute(BlobBackend):
        def meanings(self, _features):
            raise NotOffered("no meanings")

    refused, answered = room_bench(Mute()).run(everything(), click(1))
    assert isinstance(refused, NotOffered)
    assert isinstance(answered, MasksReady)


# --- a bundle of queries


def test_a_bundle_of_queries_answers_all_that_can_be_said(tmp_path):
    backend = open_backend(read_bundle(write_query_bundle(tmp_path / "q")), provider="cpu")
    bench = Bench(backend, keys=("k", "other"))
    click_, word = points((80.5, 60.5)), ObjectPrompt(text="red")
    shown = example(10, 50)
    both = replace(click_, text="red", example=shown.example)
    works = [said(one) for one in (click_, word, shown, both)] + [said(click_, both)]
    answers = [bench.mask(work) for work in works]
    assert all(answer.rle.size == (120, 160) and 0 <= answer.score <= 1 for answer in answers)
    assert len({answer.rle.counts for answer in answers}) > 1
    assert answers[-1].round == 2
    bench.forget_answers()
    assert [bench.mask(work) for work in works] == answers
    for kind in SegmentKind:
        assert isinstance(segments(bench, everything(kind, threshold=0.0)), SegmentsReady)
