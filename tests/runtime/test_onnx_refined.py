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
from seem_server.runtime.specs import APPEARANCE
from seem_wire.errors import BundleInvalid, Internal, NotOffered
from seem_wire.types import PromptKind


@pytest.fixture(scope="module")
def bundle():
    return read_bundle("tiny")


@pytest.fixture(scope="module")
def decoder(bundle):
    graph = open_graph(bundle.path(PROMPT_DECODER), provider=Provider.CPU, n_threads=1)
    return RefinedDecoder(bundle.manifest, graph)


def test_prompts_that_say_nothing_fit_an_input_of_any_size(decoder):
    (nothing,) = decoder.trials((64, 96))
    assert nothing.maps.shape == (1, 6, 16, 24)
    assert not nothing.has_previous.any()


def test_it_has_no_queries_that_find_what_is_there(decoder):
    with pytest.raises(NotOffered):
        decoder.find({})


@dataclass
class Held:
    """A tensor that is here."""

    array: np.ndarray

    def numpy(self):
        return self.array


def test_an_example_is_the_mean_of_the_places_it_shows(decoder):
    meanings = np.zeros((1, 16, 2, 3), np.float32)
    meanings[0, 0, 0, 0], meanings[0, 1, 0, 1] = 1, 1
    shown = np.array([[3, 5], [8, 0], [10, 7]], np.float32)  # the first place, and twice the second
    example = decoder.encode_example({MEANINGS: Held(meanings)}, shown)
    np.testing.assert_allclose(example.vector[:2], np.array([1, 2]) / 5**0.5, atol=1e-6)
    assert not example.vector[2:].any()


def test_what_a_place_looks_like_is_of_unit_length_and_counts_both_features_alike(decoder):
    chance = np.random.default_rng(0)
    parts = [chance.normal(size=(1, n, 2, 3)).astype(np.float32) for n in (4, 6)]
    features = {name: Held(part) for name, part in zip(APPEARANCE, parts, strict=True)}
    appearance = decoder.appearance(features)
    assert appearance.shape == (10, 2, 3)
    assert appearance.dtype == np.float32
    np.testing.assert_allclose((appearance**2).sum(0), 1, rtol=1e-5)
    np.testing.assert_allclose((appearance[:4] ** 2).sum(0), 0.5, rtol=1e-5)
    louder = features | {APPEARANCE[0]: Held(parts[0] * 7)}
    np.testing.assert_allclose(decoder.appearance(louder), appearance, rtol=1e-5)


def test_a_place_that_looks_like_nothing_is_a_number_still(decoder):
    nothing = {name: Held(np.zeros((1, 4, 2, 3), np.float32)) for name in APPEARANCE}
    assert not decoder.appearance(nothing).any()


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
    plain = replace(made, everything=None, prompts=frozenset({PromptKind.POINT}))
    assert RefinedDecoder(plain, graph)
