from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from seem_server.runtime.backend import Selector
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.load import Provider, open_graph
from seem_server.runtime.manifest import PROMPT_DECODER
from seem_server.runtime.onnx_refined import ANSWERS, MEANINGS, PROMPTS, RefinedDecoder
from seem_wire.errors import BundleInvalid, Internal, NotOffered


@pytest.fixture(scope="module")
def bundle():
    return read_bundle("tiny")


@pytest.fixture(scope="module")
def decoder(bundle):
    graph = open_graph(bundle.path(PROMPT_DECODER), provider=Provider.CPU, n_threads=1)
    return RefinedDecoder(bundle.manifest, graph)


def test_prompts_that_say_nothing_fit_an_input_of_any_size(decoder):
    (nothing,) = decoder.trials((64, 96))
    assert nothing.maps.shape == (1, 5, 16, 24)
    assert not nothing.has_previous.any()


def test_it_knows_no_examples_and_cannot_tell_what_is_there(decoder):
    with pytest.raises(NotOffered):
        decoder.encode_example({}, np.zeros((1, 2), np.float32))
    with pytest.raises(NotOffered):
        decoder.find({})


def test_prompts_of_another_kind_are_refused(decoder):
    with pytest.raises(Internal):
        decoder.decode({}, Selector.MARKS)


def test_prompts_of_one_kind_share_a_run(decoder):
    (nothing,) = decoder.trials((64, 96))
    assert decoder.kind(nothing) == decoder.kind(replace(nothing, points=nothing.points + 1))


@dataclass
class Sketch:
    """The names of a graph's inputs and outputs, and no graph."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ANSWERS


@pytest.mark.parametrize(("features", "is_right"), [((MEANINGS,), True), (("image",), False)])
def test_who_offers_everything_must_tell_what_places_mean(features, is_right):
    made = replace(MANIFEST, features=features)
    graph = Sketch((*features, *PROMPTS))
    if is_right:
        assert RefinedDecoder(made, graph).kind(None)
    else:
        with pytest.raises(BundleInvalid, match=MEANINGS):
            RefinedDecoder(made, graph)
    assert RefinedDecoder(replace(made, everything=None), graph)
