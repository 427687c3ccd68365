import numpy as np
import onnxruntime
import pytest
import torch
from published_models import SIZES, features_of, marked, small_model

from seem_model.export_published import FEATURE_NAMES, GRAPHS, export_graphs, flatten
from seem_model.published import QueryAnswers, prompts_of_nothing
from seem_model.variants import Wiring

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # exporting takes a minute


@pytest.fixture(scope="module", params=[Wiring.V1, Wiring.DEMO])
def exported(request, tmp_path_factory):
    model = small_model(request.param)
    folder = tmp_path_factory.mktemp("graphs")
    export_graphs(model, folder)
    return model, {name: onnxruntime.InferenceSession(str(folder / name)) for name in GRAPHS}


def run(session, **arrays):
    feed = {name: np.asarray(array) for name, array in arrays.items()}
    return dict(
        zip([out.name for out in session.get_outputs()], session.run(None, feed), strict=True)
    )


def feed_of(features, prompts):
    named = dict(zip(FEATURE_NAMES, flatten(features), strict=True)) | prompts._asdict()
    return {name: tensor.numpy() for name, tensor in named.items()}


@pytest.mark.parametrize("size", [(64, 96), (128, 32)])
def test_the_encoder_gives_what_torch_gives_at_other_sizes(exported, size):
    model, graphs = exported
    image = torch.randn(1, 3, *size)
    found = run(graphs["image_encoder.onnx"], image=image)
    for name, expected in zip(FEATURE_NAMES, flatten(model.encode(image)), strict=True):
        np.testing.assert_allclose(found[name], expected, atol=2e-4)


def one_click(features):
    return marked(features, [[40, 20]], [1])


def all_at_once(features):
    return marked(
        features,
        [[40, 20], [8, 56], [5, 5]],
        [1, 0, -1],
        text=torch.randn(1, 1, 3, SIZES.hidden),
        text_mask=torch.ones(1, 1, 3),
        examples=torch.randn(1, 1, 3, 5, SIZES.hidden),
        example_mask=torch.ones(1, 1, 5),
        previous_mask=torch.randn(1, 1, 16, 24),
        memory_owners=torch.zeros(1, 1, 3, SIZES.memory_tokens, dtype=torch.int64),
        query_rows=torch.tensor([[[1, 4, 7]]]),
    )


def nothing(features):
    return prompts_of_nothing(features, sizes=SIZES)


@pytest.mark.parametrize("prompts_of", [one_click, all_at_once, nothing])
def test_the_decoder_gives_what_torch_gives(exported, prompts_of):
    model, graphs = exported
    features = features_of(model)
    prompts = prompts_of(features)
    found = run(graphs["prompt_decoder.onnx"], **feed_of(features, prompts))
    expected = model.decode(features, prompts)
    for name in QueryAnswers._fields:
        np.testing.assert_allclose(found[name], getattr(expected, name), atol=2e-4, err_msg=name)


def test_example_and_mask_heads_give_what_torch_gives(exported):
    model, graphs = exported
    features = features_of(model)
    click = one_click(features)
    inputs = feed_of(features, click)
    names = (*FEATURE_NAMES, "points", "labels")
    session = graphs["example_encoder.onnx"]
    taken = {given.name for given in session.get_inputs()}
    found = run(session, **{name: inputs[name] for name in names if name in taken})
    expected = model.example(features, click.points, click.labels)
    for name, tensor in expected._asdict().items():
        np.testing.assert_allclose(found[name], tensor, atol=2e-4, err_msg=name)
    answers = model.decode(features, click)
    masks = run(
        graphs["mask_head.onnx"],
        embeddings=answers.embeddings[:, 0],
        mask_features=features.mask_features,
    )["masks"]
    chosen = masks[0, answers.selected.item()]
    np.testing.assert_allclose(chosen, answers.mask_logits[0, 0], atol=2e-4)


def test_text_states_are_those_of_the_real_tokens(exported):
    model, graphs = exported
    ids = torch.tensor([[3, 9, 1, 63, 0], [5, 63, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]])
    states = run(graphs["text_encoder.onnx"], ids=ids, mask=mask)["states"]
    np.testing.assert_allclose(states[1, :2], model.language.states(ids[1:, :2])[0], atol=2e-4)
    assert not states[1, 2:].any()
