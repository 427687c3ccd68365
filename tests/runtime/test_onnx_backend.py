from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from bundles import prompts

from seem_server.runtime import stacking
from seem_server.runtime.backend import Interrupted
from seem_server.runtime.bundle import Bundle, read_bundle
from seem_server.runtime.fake_backend import FakeFeatures
from seem_server.runtime.load import Provider
from seem_server.runtime.manifest import IMAGE_ENCODER, PROMPT_DECODER
from seem_server.runtime.onnx_backend import open_backend
from seem_wire.errors import BundleInvalid, Internal, NotOffered, PromptEmpty
from seem_wire.types import PromptKind


@pytest.fixture(scope="module")
def bundle():
    return read_bundle("tiny")


@pytest.fixture(scope="module")
def backend(bundle):
    return open_backend(bundle, provider="cpu", n_threads=1)


@pytest.fixture
def features(backend):
    return backend.encode(np.random.default_rng(0).random((1, 3, 64, 96), np.float32))[0]


def test_it_runs_where_it_was_asked_to(backend):
    assert backend.provider == "cpu"
    assert backend.manifest.name == "seem-tiny"


def test_an_image_has_the_same_features_alone_and_among_others(backend):
    images = np.random.default_rng(0).random((3, 3, 64, 96), np.float32)
    together = backend.encode(images)
    for index, one in enumerate(together):
        alone = backend.encode(images[index : index + 1])[0]
        for a, b in zip(one.tensors, alone.tensors, strict=True):
            assert np.allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_equal_work_gives_equal_bits(backend, features):
    once, again = (backend.decode([(features, prompts(backend))])[0] for _ in range(2))
    assert (once.mask_logits == again.mask_logits).all()


def test_what_was_interrupted_comes_out_the_same_later(bundle):
    backend = open_backend(bundle, provider="cpu", n_threads=1)
    images = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    asks = (
        lambda: backend.encode(images),
        lambda: backend.decode([(features, prompts(backend))]),
        lambda: backend.encode_text("zebra"),
    )
    (features,) = backend.encode(images)
    (expected,) = backend.decode([(features, prompts(backend))])
    backend.interrupt()
    for ask in asks:
        with pytest.raises(Interrupted):
            ask()
    backend.resume()
    (features,) = backend.encode(images)
    (answer,) = backend.decode([(features, prompts(backend))])
    assert (answer.mask_logits == expected.mask_logits).all()


def test_every_prompt_has_its_part_in_the_answer(backend, features):
    asked = prompts(backend)
    (expected,) = backend.decode([(features, asked)])
    for change in (
        {"points": asked.points + 20},
        {"labels": 1 - asked.labels},
        {"maps": 1 - asked.maps},
        {"has_previous": asked.has_previous * 0},
        {"text_mask": asked.text_mask * 0},
    ):
        (answer,) = backend.decode([(features, replace(asked, **change))])
        assert (answer.mask_logits != expected.mask_logits).any(), change


def test_on_a_device_objects_of_one_image_share_a_run(backend, monkeypatch):
    images = np.random.default_rng(1).random((2, 3, 64, 96), np.float32)
    first, second = backend.encode(images)
    asked = [(first, 2), (first, 1), (second, 1), (first, 3)]
    items = [(one, prompts(backend, n, n_points=i + 1, seed=i)) for i, (one, n) in enumerate(asked)]
    expected = backend.decode(items)
    runs = pretend_to_be_a_device(backend, monkeypatch)
    for one, other in zip(backend.decode(items), expected, strict=True):
        assert np.allclose(one.mask_logits, other.mask_logits, atol=1e-4)
        assert np.allclose(one.semantic, other.semantic, atol=1e-4)
    assert runs == [3, 1, 3]


def test_a_shared_run_has_a_largest_size(backend, features, monkeypatch):
    monkeypatch.setattr(stacking, "MAX_SHARING", 2)
    runs = pretend_to_be_a_device(backend, monkeypatch)
    answers = backend.decode([(features, prompts(backend, seed=i)) for i in range(5)])
    assert len(answers) == 5
    assert runs == [2, 2, 1]


def pretend_to_be_a_device(backend, monkeypatch):
    """Makes the backend believe that it is not on the CPU; gives how many objects each run has."""
    graph, runs = backend._decoder._graph, []
    run = graph.run

    def counted(arrays, tensors, outputs):
        runs.append(arrays["labels"].shape[1])
        return run(arrays, tensors, outputs)

    monkeypatch.setattr(graph, "run", counted)
    monkeypatch.setattr(backend._encoder, "provider", Provider.CUDA)
    return runs


def test_a_text_without_a_word_is_refused(backend, monkeypatch):
    monkeypatch.setattr(backend._text.tokenizer, "post_processor", None)
    with pytest.raises(PromptEmpty):
        backend.encode_text("")


def test_a_bundle_that_offers_no_text_reads_none(bundle):
    manifest = replace(bundle.manifest, prompts=frozenset({PromptKind.POINT}))
    wordless = open_backend(Bundle(bundle.folder, manifest), provider="cpu", n_threads=1)
    with pytest.raises(NotOffered):
        wordless.encode_text("bus")


def test_what_each_place_looks_like_is_told_at_stride_8(backend, features):
    appearance = backend.appearance(features)
    assert appearance.shape[1:] == (64 // 8, 96 // 8)
    np.testing.assert_allclose((appearance**2).sum(0), 1, rtol=1e-4)


def test_features_of_another_backend_are_refused(backend):
    with pytest.raises(Internal):
        backend.decode([(FakeFeatures(np.zeros(1, np.float32)), prompts(backend))])


def test_graphs_in_each_others_place_are_refused(bundle, tmp_path):
    folder = shutil.copytree(bundle.folder, tmp_path / "mixed")
    shutil.copy(bundle.path(IMAGE_ENCODER), folder / PROMPT_DECODER)
    with pytest.raises(BundleInvalid, match=r"prompt_decoder\.onnx should take"):
        open_backend(Bundle(folder, bundle.manifest), provider="cpu")
