import pytest
import torch
from torch.nn.functional import normalize

from seem_model.refiner import NO_SIMILARITY, PromptMaps


def logits(tiny, features, prompts):
    with torch.inference_mode():
        return tiny.answer(features, prompts).mask_logits


def test_answers_with_a_mask_and_three_hypotheses_at_stride_4(tiny, features, clicks):
    assert logits(tiny, features, clicks((20, 20), (70, 40))).shape == (1, 2, 1 + 3, 16, 24)


def test_hypotheses_differ_from_each_other_and_from_the_mask(tiny, features, clicks):
    masks = logits(tiny, features, clicks((20, 20)))[0, 0]
    assert all(not torch.allclose(masks[i], masks[j]) for i in range(4) for j in range(i))


def test_each_hypothesis_answers_its_own_query(tiny, features):
    prompt = prompt_maps(torch.zeros(3))
    one_changed = prompt._replace(queries=prompt.queries.index_fill(2, torch.tensor([1]), 2.0))
    with torch.inference_mode():
        masks, others = (tiny.refiner(features.maps, p).logits[0, 0] for p in (prompt, one_changed))
    assert [torch.equal(a, b) for a, b in zip(masks, others, strict=True)] == [
        True,
        True,
        False,
        True,
    ]


def test_hypotheses_teach_how_queries_weigh(tiny, clicks):
    tiny.zero_grad()
    tiny.answer(tiny.encode(torch.randn(1, 3, 64, 96)), clicks((20, 20))).mask_logits[
        :, :, 1:
    ].sum().backward()
    gradients = [parameter.grad for parameter in tiny.refiner.weigh.parameters()]
    assert all(gradient.any() for gradient in gradients)
    tiny.zero_grad()


def test_the_mask_itself_does_not_ask_the_queries_weights(tiny, clicks):
    tiny.zero_grad()
    masks = tiny.answer(tiny.encode(torch.randn(1, 3, 64, 96)), clicks((20, 20))).mask_logits
    masks[:, :, 0].sum().backward()
    gradients = [parameter.grad for parameter in tiny.refiner.weigh.parameters()]
    tiny.zero_grad()
    assert not any(gradient.any() for gradient in gradients if gradient is not None)


def test_reads_the_drawn_maps(tiny, features, clicks):
    prompts = clicks((20, 20))
    boxed = prompts.maps.clone()
    boxed[:, :, 4, 2:8, 2:8] = 1
    changed = logits(tiny, features, prompts._replace(maps=boxed))
    assert not torch.allclose(changed, logits(tiny, features, prompts))


def test_reads_the_sign_of_a_point(tiny, features, clicks):
    prompts = clicks((20, 20))
    negative = prompts._replace(labels=torch.zeros(1, 1, 1))
    assert not torch.allclose(logits(tiny, features, negative), logits(tiny, features, prompts))


def test_the_embedding_has_unit_length(features):
    norms = features.maps.embedding.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


WORDS, EXAMPLE, NOTHING = normalize(
    torch.randn(3, 16, generator=torch.Generator().manual_seed(0)), dim=1
)


def prompt_maps(queries, *, text=False, example=False):
    """A single padding point; words and an example that were said or not."""
    torch.manual_seed(0)
    return PromptMaps(
        drawn=torch.zeros(1, 1, 6, 16, 24),
        previous_mask=torch.zeros(1, 1, 16, 24),
        has_previous=torch.tensor([[False]]),
        points=torch.zeros(1, 1, 1, 2),
        labels=torch.full((1, 1, 1), -1.0),
        words=WORDS[None, None],
        has_text=torch.tensor([[text]]),
        nothing=NOTHING,
        example=EXAMPLE[None, None],
        has_example=torch.tensor([[example]]),
        queries=queries[:, None].expand(1, 1, 3, 16),
        proposals=torch.zeros(1, 1, 3, 8, 12),
    )


def similar(tiny, features, **said):
    with torch.inference_mode():
        return tiny.refiner(features.maps, prompt_maps(torch.zeros(3), **said)).similar[0, 0]


def cosine(features, vector):
    return torch.einsum("chw,c->hw", features.maps.embedding[0], vector)


def test_places_are_compared_with_the_words_and_with_nothing(tiny, features):
    _, _, words, beyond, example = similar(tiny, features, text=True)
    torch.testing.assert_close(words, cosine(features, WORDS))
    torch.testing.assert_close(beyond, cosine(features, WORDS) - cosine(features, NOTHING))
    assert (example == NO_SIMILARITY).all()


def test_places_are_compared_with_the_example(tiny, features):
    _, _, words, beyond, example = similar(tiny, features, example=True)
    torch.testing.assert_close(example, cosine(features, EXAMPLE))
    assert (torch.stack([words, beyond]) == NO_SIMILARITY).all()


def test_where_nothing_was_said_nothing_is_alike(tiny, features):
    assert (similar(tiny, features) == NO_SIMILARITY).all()


@pytest.mark.parametrize(("label", "channel"), [(1.0, 0), (0.0, 1)])
def test_a_place_is_most_alike_to_a_click_on_itself(tiny, features, label, channel):
    prompt = prompt_maps(torch.zeros(3))._replace(labels=torch.full((1, 1, 1), label))
    with torch.inference_mode():
        alike = tiny.refiner(features.maps, prompt).similar[0, 0, channel]
    assert alike[0, 0] == pytest.approx(1, abs=1e-5)
    assert alike.max() <= 1 + 1e-5
