from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
from engine_words import click, follow, points, rounds

from seem_server.engine import work
from seem_server.engine.work import Decode, Encode, ObjectRounds, Round, image_keys, prompt_digest
from seem_wire import rle
from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Scribble


def masked(mask):
    return ObjectPrompt(mask=MaskPrompt(mask))


def shown(image, mask):
    return ObjectPrompt(example=ExamplePrompt(image, mask))


def test_equal_prompts_have_equal_digests_and_others_have_others():
    said = [
        lambda: points((1.5, 2.5)),
        lambda: points((1.5, 2.5), (3.5, 2.5)),
        lambda: ObjectPrompt(box=Box(1, 2, 3, 4)),
        lambda: ObjectPrompt(scribbles=(Scribble(((1, 2), (3, 4))),)),
        lambda: ObjectPrompt(text="zebra"),
        lambda: masked(np.eye(3, dtype=bool)),
        lambda: masked(np.eye(4, dtype=bool)),
        lambda: ObjectPrompt(negative_boxes=(Box(1, 2, 3, 4),)),
        lambda: ObjectPrompt(negative_boxes=(Box(1, 2, 3, 4), Box(1, 2, 3, 4))),
        lambda: ObjectPrompt(lassos=(Lasso(((1, 2), (3, 4), (1, 4))),)),
        lambda: ObjectPrompt(lassos=(Lasso(((1, 2), (3, 4), (1, 4)), positive=False),)),
        lambda: shown("other", np.eye(3, dtype=bool)),
        lambda: shown("other", np.eye(4, dtype=bool)),
        lambda: shown("another", np.eye(3, dtype=bool)),
    ]
    assert [prompt_digest(one()) for one in said] == [prompt_digest(one()) for one in said]
    assert len({prompt_digest(one()) for one in said}) == len(said)


def test_masks_of_equal_bits_and_other_shapes_have_other_digests():
    bits = np.ones(12, np.bool_)
    assert prompt_digest(masked(bits.reshape(3, 4))) != prompt_digest(masked(bits.reshape(4, 3)))


def test_a_digest_is_forgotten_with_its_prompt():
    before = len(work._DIGESTS)
    prompt = points((1.5, 1.5))
    prompt_digest(prompt)
    del prompt
    gc.collect()
    assert len(work._DIGESTS) <= before


def test_there_is_a_memory_key_after_each_round():
    keys = rounds(1, 2, 3).memory_keys("k")
    assert len(set(keys)) == 3
    assert keys[:2] == rounds(1, 2).memory_keys("k")


def test_a_memory_key_names_the_image_too():
    assert rounds(1).memory_keys("k") != rounds(1).memory_keys("other")


def test_a_memory_key_depends_on_what_was_chosen_and_on_nothing_else_of_a_round():
    said = points((1.5, 2.5))
    keys = {
        ObjectRounds(1, (Round(3, said, *more),)).memory_keys("k")
        for more in [(), (None, True), (None, True, 4), (0,), (0, False, 4), (1,)]
    }
    assert len(keys) == 3


def test_what_was_chosen_is_never_dropped():
    first, second, third = rounds(1, 2, 3).rounds
    one = ObjectRounds(1, (first, replace(second, choice=0), third))
    assert [entry.seq for entry in one.without(1, 2, 3).rounds] == [2, 3]


def test_a_memory_key_does_not_depend_on_who_asks():
    mine = ObjectRounds(1, (Round(5, points((1.5, 2.5))),))
    yours = ObjectRounds(9, (Round(7, points((1.5, 2.5))),))
    assert mine.memory_keys("k") == yours.memory_keys("k")


def test_a_decode_names_the_images_of_its_examples():
    mask = np.ones((2, 2), np.bool_)
    said = (points((1.5, 2.5)), shown("other", mask), shown("another", mask))
    one = ObjectRounds(1, tuple(Round(seq, prompt) for seq, prompt in enumerate(said, 1)))
    assert Decode("s", 3, "k", (one,)).example_keys == {"other", "another"}


def test_work_names_all_images_that_it_looks_at():
    example = ObjectRounds(1, (Round(1, shown("other", np.ones((2, 2), np.bool_))),))
    assert image_keys(Decode("s", 1, "k", (example,))) == {"k", "other"}
    assert image_keys(follow(key="k", seen="before", objects=(1, 2))) == {"k", "before"}
    assert image_keys(Encode("s", "k")) == {"k"}


def test_a_memory_key_depends_on_where_it_began_and_whether_a_mask_was_given():
    (said,) = rounds(1).rounds
    starts = [None, *(rle.encode(np.eye(n, dtype=np.bool_)) for n in (3, 4))]
    chains = [ObjectRounds(1, (said,), start) for start in starts]
    given = ObjectRounds(1, (replace(said, as_given=True),))
    assert len({one.memory_keys("k") for one in (*chains, given)}) == 4


def test_dropping_a_command_drops_its_rounds_but_never_the_one_to_answer():
    assert [entry.seq for entry in rounds(1, 2, 3).without(2).rounds] == [1, 3]
    assert [entry.seq for entry in rounds(1, 2, 3).without(3).rounds] == [1, 2, 3]


def test_a_decode_drops_a_command_from_all_its_objects():
    dropped = click(1, 2, objects=(1, 2)).without(1)
    assert isinstance(dropped, Decode)
    assert [len(one.rounds) for one in dropped.objects] == [1, 1]
    assert dropped.object_ids == {1, 2}
