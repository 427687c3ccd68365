"""A short run over every decoder, and every input that was ever found."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import pytest
from fuzzing import Decoder, as_seed, decoders, mutated, try_on

BY_NAME = {decoder.name: decoder for decoder in decoders()}
FINDS = Path(__file__).with_name("finds.jsonl")


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_what_it_takes_is_taken_and_what_is_spoilt_is_refused_as_promised(name):
    decoder, chance = BY_NAME[name], random.Random(1)
    taken = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in decoder.seeds:
            assert try_on(decoder, seed, taken=taken) is None
        assert len(taken) == len(decoder.seeds)
        finds = [try_on(decoder, mutated(chance, decoder.seeds)) for _ in range(1500)]
    assert [find for find in finds if find is not None] == []


def test_what_was_once_found_is_found_no_more():
    lines = FINDS.read_text().splitlines() if FINDS.exists() else []
    for line in lines:
        seed = json.loads(line)
        assert try_on(BY_NAME[seed["decoder"]], bytes.fromhex(seed["data"])) is None


def test_a_decoder_that_breaks_its_promise_is_a_find():
    broken = Decoder("broken", lambda data: data[10**6], (ValueError,), (b"x",), 1.0)
    find = try_on(broken, b"ab")
    assert find.what.startswith("IndexError")
    assert json.loads(as_seed(find))["data"] == b"ab".hex()
