from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bundles import relist
from query_bundles import GRAPHS, TABLE, change, queries_manifest, write_query_bundle

from seem_server.runtime.backend import PromptArrays, QueryArrays, Selector
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.load import Provider
from seem_server.runtime.onnx_backend import open_backend
from seem_server.runtime.onnx_queries import mean_inside
from seem_wire.errors import BundleInvalid, Internal, NotOffered
from seem_wire.pixels import PADDING, POSITIVE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_query_bundle(tmp_path_factory.mktemp("bundles") / "queries")


@pytest.fixture(scope="module")
def backend(folder):
    return open_backend(read_bundle(folder), provider="cpu", n_threads=1)


@pytest.fixture
def features(backend):
    return backend.encode(np.random.default_rng(0).random((1, 3, 64, 96), np.float32))[0]


def said(n=1, *, n_points=2, rows=(0, 2, 4), seed=0, **changes):
    """Random prompts of `n` objects for an image of 64 x 96 network pixels."""
    rng = np.random.default_rng(seed)
    return replace(
        QueryArrays(
            points=rng.integers(0, 64, (n, n_points, 2)).astype(np.float32),
            labels=np.full((n, n_points), POSITIVE, np.float32),
            text=rng.random((n, 2, 4), np.float32),
            text_mask=np.ones((n, 2), np.float32),
            sentence=rng.random((n, 4), np.float32),
            examples=rng.random((n, 3, 2, 4), np.float32),
            example_mask=np.ones((n, 2), np.float32),
            example_vector=rng.random((n, 4), np.float32),
            previous_mask=rng.random((n, 16, 24), np.float32),
            has_previous=np.ones(n, np.float32),
            query_rows=np.array([rows] * n, np.int64),
            selector=np.full(n, Selector.MARKS, np.int64),
        ),
        **changes,
    )


def test_an_answer_has_a_mask_a_score_and_a_meaning_and_no_presence(backend, features):
    (answer,) = backend.decode([(features, said(2))])
    assert answer.mask_logits.shape == (2, 16, 24)
    assert answer.semantic.shape == (2, 4)
    assert answer.presence is None
    assert np.allclose(np.linalg.norm(answer.semantic, axis=1), 1, atol=1e-5)
    assert ((answer.iou >= 0) & (answer.iou <= 1)).all()


def test_every_prompt_has_its_part_in_the_answer(backend, features):
    asked = said()
    (expected,) = backend.decode([(features, asked)])
    for change_ in (
        {"points": asked.points + 20},
        {"labels": asked.labels * 0},
        {"text_mask": asked.text_mask * 0},
        {"example_mask": asked.example_mask * 0},
        {"previous_mask": asked.previous_mask + 1},
        {"has_previous": asked.has_previous * 0},
        {"query_rows": asked.query_rows[:, :1] + 1},
    ):
        (answer,) = backend.decode([(features, replace(asked, **change_))])
        assert (answer.mask_logits != expected.mask_logits).any(), change_


@pytest.mark.parametrize("selector", Selector)
def test_the_query_that_answers_is_chosen_by_what_the_selector_names(backend, features, selector):
    """Nothing is said but the vector that the selector names: one learned query fits it best."""
    silent = said(
        rows=range(5),
        points=np.array([[[1, 0]]], np.float32),
        labels=np.full((1, 1), POSITIVE if selector is Selector.MARKS else PADDING, np.float32),
        text_mask=np.zeros((1, 2), np.float32),
        example_mask=np.zeros((1, 2), np.float32),
        has_previous=np.zeros(1, np.float32),
        sentence=np.array([[0, -1, 0, 0]], np.float32),
        example_vector=np.array([[0, 0, 1, 0]], np.float32),
        selector=np.array([selector]),
    )
    (answer,) = backend.decode([(features, silent)])
    chosen = {Selector.MARKS: 0, Selector.TEXT: 4, Selector.EXAMPLE: 2}[selector]
    assert np.allclose(answer.semantic[0], TABLE[chosen], atol=1e-5)


def test_without_a_memory_one_empty_slot_is_given(backend, features, monkeypatch):
    given = []
    graph = backend._decoder._graphs.prompt_decoder
    run = graph.run

    def spied(arrays, tensors, outputs):
        given.append(arrays["memory_owners"])
        return run(arrays, tensors, outputs)

    monkeypatch.setattr(graph, "run", spied)
    backend.decode([(features, said(2, has_previous=np.zeros(2, np.float32)))])
    backend.decode([(features, said(3, has_previous=np.array([1, 0, 1], np.float32)))])
    assert given[0].tolist() == [[[[-1]] * 2] * 2]
    assert given[1].shape == (1, 3, 2, 3)
    assert given[1][0, :, 0, 0].tolist() == [0, -1, 2]


def test_on_a_device_objects_of_one_image_share_a_run(backend, monkeypatch):
    images = np.random.default_rng(1).random((2, 3, 64, 96), np.float32)
    first, second = backend.encode(images)
    rows = range(5)
    items = [
        (first, said(2, seed=1)),
        (first, said(1, n_points=5, seed=2)),
        (first, said(1, rows=rows, seed=3)),
        (first, said(1, rows=rows, seed=4, has_previous=np.zeros(1, np.float32))),
        (second, said(1, seed=5)),
    ]
    expected = backend.decode(items)
    graph, runs = backend._decoder._graphs.prompt_decoder, []
    run = graph.run

    def counted(arrays, tensors, outputs):
        runs.append(arrays["labels"].shape[1])
        return run(arrays, tensors, outputs)

    monkeypatch.setattr(graph, "run", counted)
    monkeypatch.setattr(backend._encoder, "provider", Provider.CUDA)
    for one, other in zip(backend.decode(items), expected, strict=True):
        assert np.allclose(one.mask_logits, other.mask_logits, atol=1e-4)
        assert one.presence is None
    assert runs == [3, 1, 1, 1]


def test_an_example_has_a_token_for_each_pixel_and_level(backend, features):
    points = np.array([[3, 4], [30, 40]], np.float32)
    tokens = backend.encode_example(features, points)
    assert tokens.tokens.shape == (3, 2, 4)
    assert np.allclose(tokens.tokens[1, :, :2], points / 100)
    assert tokens.vector.shape == (4,)
    assert tokens.nbytes == tokens.tokens.nbytes + 16


def test_all_queries_look_for_everything(backend, features):
    findings = backend.find(features)
    assert findings.mask_logits.shape == (5, 16, 24)
    assert np.allclose(findings.semantic, TABLE, atol=1e-5)
    assert findings.nbytes > 0
    (image,) = (one.numpy()[0] for one in features.tensors)
    assert np.allclose(findings.mask_logits, np.einsum("qc,chw->qhw", TABLE, image), atol=1e-5)


def test_a_text_ends_in_the_state_that_stands_for_all_of_it(backend):
    states = backend.encode_text("green red").states
    assert states.shape == (2, 4)
    assert states[-1].tolist() == backend.encode_text("red").states[-1].tolist()


def test_a_text_is_cleaned_where_the_bundle_says_so(backend, tmp_path):
    pytest.importorskip("ftfy")
    assert (backend.encode_text("RED").states != backend.encode_text("red").states).any()
    cleaning = write_query_bundle(tmp_path / "cleaning")
    change(cleaning, "text", "clean", value=True)
    made = open_backend(read_bundle(cleaning), provider="cpu", n_threads=1)
    assert (made.encode_text(" RED ").states == made.encode_text("red").states).all()


def test_what_a_bundle_does_not_offer_is_refused(tmp_path):
    folder = write_query_bundle(tmp_path / "few")
    change(folder, "everything", value=None)
    change(folder, "prompts", value=["point"])
    made = open_backend(read_bundle(folder), provider="cpu", n_threads=1)
    (features,) = made.encode(np.zeros((1, 3, 64, 96), np.float32))
    with pytest.raises(NotOffered):
        made.find(features)
    with pytest.raises(NotOffered):
        made.encode_example(features, np.zeros((1, 2), np.float32))
    with pytest.raises(NotOffered):
        made.encode_text("red")
    with pytest.raises(NotOffered):
        made.appearance(features)


def test_prompts_of_another_kind_of_decoder_are_refused(backend, features):
    with pytest.raises(Internal):
        backend.decode([(features, PromptArrays(*[np.zeros((1, 1), np.float32)] * 9))])


def test_an_input_that_no_graph_reads_may_be_left_out(tmp_path):
    text = GRAPHS["prompt_decoder.onnx"].replace("int64[B,n,2,m] memory_owners,", "")
    text = text.replace("float[B,n,h,w] previous_mask, ", "").replace(
        "said_2, memory", "said_2, no"
    )
    lines = [line for line in text.splitlines() if not line.strip().startswith(_OF_MEMORY)]
    text = "\n".join(lines).replace("float one = {1.0}", "float no = {0.0}, float one = {1.0}")
    folder = write_query_bundle(tmp_path / "forgetful", prompt_decoder=text)
    change(folder, "decoder", "memory_tokens", value=0)
    made = open_backend(read_bundle(folder), provider="cpu", n_threads=1)
    (features,) = made.encode(np.zeros((1, 3, 64, 96), np.float32))
    assert made.decode([(features, said())])[0].mask_logits.shape == (1, 16, 24)


_OF_MEMORY = ("owner", "remember", "before", "kept", "memory")


@pytest.mark.parametrize("graph", ["prompt_decoder", "mask_head", "example_encoder"])
def test_graphs_in_each_others_place_are_refused(tmp_path, graph):
    folder = write_query_bundle(tmp_path / "mixed", **{graph: GRAPHS["text_encoder.onnx"]})
    with pytest.raises(BundleInvalid, match=rf"{graph}\.onnx should take"):
        open_backend(read_bundle(folder), provider="cpu")


def test_a_bundle_whose_features_lack_the_mask_features_is_refused(tmp_path):
    renamed = {
        name.removesuffix(".onnx"): text.replace("mask_features", "colours_4")
        for name, text in GRAPHS.items()
        if name != "mask_head.onnx"
    }
    folder = change(write_query_bundle(tmp_path / "a", **renamed), "features", value=["colours_4"])
    with pytest.raises(BundleInvalid, match="mask_features"):
        open_backend(read_bundle(folder), provider="cpu")


def test_a_manifest_of_another_joint_space_is_refused(tmp_path):
    folder = write_query_bundle(tmp_path / "a")
    np.save(folder / "vocabulary.npy", np.eye(4, 3, dtype=np.float32))
    relist(folder, **(queries_manifest() | {"joint_width": 3}))
    with pytest.raises(BundleInvalid, match="do not run"):
        open_backend(read_bundle(folder), provider="cpu")


def test_a_manifest_of_another_text_width_is_refused(tmp_path):
    folder = change(write_query_bundle(tmp_path / "a"), "text", "width", value=5)
    with pytest.raises(BundleInvalid, match="width 4"):
        open_backend(read_bundle(folder), provider="cpu")


def test_a_manifest_of_more_queries_than_the_graph_has_is_refused(tmp_path):
    folder = change(write_query_bundle(tmp_path / "a"), "decoder", "object_queries", value=6)
    change(folder, "everything", value=None)  # words alone ask all of them
    with pytest.raises(BundleInvalid, match="do not run"):
        open_backend(read_bundle(folder), provider="cpu")


@pytest.mark.parametrize(("tokens", "remembers"), [(3, 1), (0, 0)])
def test_a_decoder_is_tried_with_its_memory_where_it_has_one(tmp_path, tokens, remembers):
    folder = change(write_query_bundle(tmp_path / "a"), "decoder", "memory_tokens", value=tokens)
    backend = open_backend(read_bundle(folder), provider="cpu", n_threads=1)
    _, most = backend._decoder.trials((64, 96))
    assert most.has_previous.tolist() == [remembers]
    assert most.query_rows.tolist() == [list(range(len(TABLE)))]


def test_a_text_encoder_that_takes_fewer_tokens_than_listed_is_refused(tmp_path):
    five = """{
      words = Gather <axis = 0> (table, ids)
      length = Shape <start = 1> (ids)
      last = Sub (length, one)
      place = Gather <axis = 0> (table, last)
      states = Add (words, place)
    }"""
    head = (
        GRAPHS["text_encoder.onnx"].rpartition("{ states")[0].replace("}>", "}, int64 one = {1}>")
    )
    folder = write_query_bundle(tmp_path / "a", text_encoder=head + five)
    change(folder, "text", "max_tokens", value=5)
    open_backend(read_bundle(folder), provider="cpu")
    change(folder, "text", "max_tokens", value=6)
    with pytest.raises(BundleInvalid, match="do not run"):
        open_backend(read_bundle(folder), provider="cpu")


def test_the_score_is_how_sure_the_mask_is_of_its_inside():
    masks = np.full((3, 4, 4), -5.0, np.float32)
    masks[0, :2] = 100
    masks[1, 0, 0] = 1e-6
    assert mean_inside(masks) == pytest.approx([1, 0.5, 0])
