"""What every backend promises, asked of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from bundles import prompts

from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.runtime.onnx_backend import open_backend


@pytest.fixture(scope="module", params=["fake", "onnx"])
def backend(request):
    return FakeBackend() if request.param == "fake" else open_backend(read_bundle("tiny"))


def encoded(backend, n=1):
    return backend.encode(np.random.default_rng(0).random((n, 3, 64, 96), np.float32))


def test_it_says_where_it_runs(backend):
    assert backend.provider in {"fake", "cpu", "cuda"}


def test_each_image_has_features_of_its_own(backend):
    features = encoded(backend, 3)
    assert len(features) == 3
    assert all(one.nbytes > 0 for one in features)


@pytest.mark.parametrize("n", [1, 3])
def test_each_object_has_an_answer(backend, n):
    (answer,) = backend.decode([(encoded(backend)[0], prompts(backend, n))])
    assert answer.mask_logits.shape == (n, 16, 24)
    assert answer.iou.shape == answer.presence.shape == (n,)
    assert answer.semantic.shape == (n, backend.manifest.joint_width)


def test_each_item_has_an_answer_whatever_its_shape(backend):
    features = encoded(backend, 2)
    items = [(features[i % 2], prompts(backend, 1 + i % 2, n_points=1 + i)) for i in range(5)]
    answers = backend.decode(items)
    assert [len(answer.iou) for answer in answers] == [1, 2, 1, 2, 1]


def test_an_answer_does_not_depend_on_what_else_is_asked(backend):
    features = encoded(backend, 2)
    items = [(features[i % 2], prompts(backend, 1, n_points=1 + i, seed=i)) for i in range(4)]
    together = backend.decode(items)
    alone = [backend.decode([item])[0] for item in items]
    for one, other in zip(together, alone, strict=True):
        assert (one.mask_logits == other.mask_logits).all()
        assert (one.iou == other.iou).all()


def test_a_text_has_a_row_for_each_token(backend):
    states = backend.encode_text("a red bus").states
    assert states.dtype == np.float32
    assert states.shape[0] >= 3
    assert states.shape[1] == backend.manifest.text.width


def test_a_long_text_is_cut(backend):
    states = backend.encode_text("bus " * 500).states
    assert len(states) == backend.manifest.text.max_tokens
