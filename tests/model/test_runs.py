from __future__ import annotations

import onnxruntime
import pytest
import torch
from published_models import features_of, marked, small_model
from small_graphs import write_graph

from seem_model import runs
from seem_model.export_published import export_mask_head
from seem_model.runs import GraphRuns, TorchRuns


@pytest.fixture(scope="module")
def model():
    return small_model()


@torch.inference_mode()
def test_torch_gives_what_the_model_gives(model):
    features = features_of(model)
    prompts = marked(features, [[40, 20]], [1])
    torch_runs = TorchRuns(model)
    answers = model.decode(features, prompts)
    assert torch.equal(torch_runs.decode(features, prompts).mask_logits, answers.mask_logits)
    example = model.example(features, prompts.points, prompts.labels)
    found = torch_runs.example(features, prompts.points, prompts.labels)
    assert torch.equal(found.vector, example.vector)
    image = torch.zeros(1, 3, 64, 64)
    assert torch.equal(torch_runs.encode(image).mask_features, model.encode(image).mask_features)


@torch.inference_mode()
def test_padding_has_no_states(model):
    ids, mask = torch.tensor([[1, 5, 0]]), torch.tensor([[1, 1, 0]])
    states = TorchRuns(model).states(ids, mask)
    assert torch.equal(states[:, 2], torch.zeros_like(states[:, 2]))
    assert torch.equal(states[:, :2], model.language.states(ids)[:, :2])


@torch.inference_mode()
def test_an_exported_graph_gives_what_torch_gives(model, tmp_path):
    export_mask_head(model, tmp_path / runs.MASK_HEAD)
    features = features_of(model)
    embeddings = torch.randn(1, 4, features.mask_features.shape[1])
    expected = TorchRuns(model).masks(embeddings, features.mask_features)
    found = GraphRuns(tmp_path).masks(embeddings, features.mask_features)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_one_graph_is_open_at_a_time_and_once(tmp_path, monkeypatch):
    for name in ("a.onnx", "b.onnx"):
        write_graph(tmp_path / name)
    opened = []
    session = onnxruntime.InferenceSession

    def opening(path, *others, **options):
        opened.append(path.rpartition("/")[2])
        return session(path, *others, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    graphs = GraphRuns(tmp_path)
    given = {"x": torch.zeros(1, 64), "an input that the exporter left out": torch.zeros(1)}
    for name in ("a.onnx", "a.onnx", "b.onnx"):
        assert graphs._run(name, given)[0].shape == (1, 64)
    assert opened == ["a.onnx", "b.onnx"]
