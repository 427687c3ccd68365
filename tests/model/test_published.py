import pytest
import torch
from published_models import SIZES, features_of, marked, small_model

from seem_model.decoder import dot_map
from seem_model.published import BY_EXAMPLE, BY_TEXT, prompts_of_nothing
from seem_model.variants import Wiring

CLICK, OTHER = ([[40, 20]], [1]), ([[8, 56]], [1])


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def features(model):
    return features_of(model)


def same(first, second):
    return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(first, second, strict=True))


def text_of(seed):
    generator = torch.Generator().manual_seed(seed)
    words = torch.randn(1, 1, 3, SIZES.hidden, generator=generator)
    return {"text": words, "text_mask": torch.ones(1, 1, 3), "sentence": words[:, :, -1]}


def test_features_are_at_four_strides(features):
    assert [level.values.shape[-2:] for level in features.levels] == [(2, 3), (4, 6), (8, 12)]
    assert features.mask_features.shape == (1, SIZES.hidden, 16, 24)


def test_the_answer_is_the_mask_of_the_query_that_matches_best(model, features):
    answers = model.decode(features, marked(features, *CLICK))
    assert answers.match.shape == (1, 1, SIZES.object_queries)
    best = answers.match[0, 0].argmax()
    assert answers.selected.item() == best
    mask = dot_map(answers.embeddings[:, :, best : best + 1], features.mask_features)
    assert torch.allclose(answers.mask_logits, mask[:, :, 0], atol=1e-5)


def test_a_click_is_matched_by_what_lies_under_it(model, features):
    answers = model.decode(features, marked(features, *CLICK))
    expected = (answers.embeddings @ answers.pooled[:, :, 0, :, None]).squeeze(3)
    assert torch.allclose(answers.match, expected, atol=1e-5)


@pytest.mark.parametrize("wiring", list(Wiring))
def test_pooling_of_nothing_is_as_published(wiring):
    model = small_model(wiring)
    features = features_of(model)
    pooled = model.decode(features, prompts_of_nothing(features, sizes=SIZES)).pooled
    assert (pooled == (-1.0 if wiring is Wiring.V1 else 0.0)).all()


def test_padding_changes_nothing(model, features):
    alone = marked(features, *CLICK)
    padded = marked(
        features,
        [[40, 20], [0, 0], [90, 3]],
        [1, -1, -1],
        text=torch.randn(1, 1, 5, SIZES.hidden),
        text_mask=torch.zeros(1, 1, 5),
        examples=torch.randn(1, 1, 3, 4, SIZES.hidden),
        example_mask=torch.zeros(1, 1, 4),
        previous_mask=torch.randn(1, 1, 16, 24),
        memory_owners=torch.full((1, 1, SIZES.decoder_layers, SIZES.memory_tokens), -1),
    )
    assert same(model.decode(features, alone), model.decode(features, padded))


def test_every_kind_of_prompt_tells(model, features):
    before = model.decode(features, marked(features, *CLICK)).mask_logits
    changes = {
        "text": text_of(1),
        "example": {
            "examples": torch.randn(1, 1, 3, 4, SIZES.hidden),
            "example_mask": torch.ones(1, 1, 4),
        },
        "memory": {
            "previous_mask": torch.randn(1, 1, 16, 24),
            "memory_owners": torch.zeros(1, 1, 3, SIZES.memory_tokens, dtype=torch.int64),
        },
        "rows": {"query_rows": torch.tensor([[[1, 4, 7]]])},
    }
    for kind, change in changes.items():
        after = model.decode(features, marked(features, *CLICK, **change)).mask_logits
        assert (after - before).abs().max() > 1e-3, kind
    negative = marked(features, [[40, 20], [8, 56]], [1, 0])
    assert (model.decode(features, negative).mask_logits - before).abs().max() > 1e-3


def test_the_sign_of_a_point_tells(model, features):
    positive = model.decode(features, marked(features, *CLICK))
    negative = model.decode(features, marked(features, CLICK[0], [0]))
    assert torch.allclose(positive.pooled[:, :, 0], negative.pooled[:, :, 1])
    assert not torch.allclose(positive.embeddings, negative.embeddings, atol=1e-3)


def test_objects_do_not_see_each_other(model, features):
    prompts = [marked(features, *CLICK), marked(features, *OTHER)]
    both = type(prompts[0])(*(torch.cat(pair, dim=1) for pair in zip(*prompts, strict=True)))
    together = model.decode(features, both)
    for index, one in enumerate(prompts):
        alone = model.decode(features, one)
        assert same(alone, [field[:, index : index + 1] for field in together])


def test_a_memory_token_follows_its_owner(model, features):
    """Where both objects look through one owner's tokens, the other sees no memory at all."""
    prompts = [marked(features, *CLICK), marked(features, *OTHER)]
    both = type(prompts[0])(*(torch.cat(pair, dim=1) for pair in zip(*prompts, strict=True)))
    owners = torch.zeros(1, 2, SIZES.decoder_layers, SIZES.memory_tokens, dtype=torch.int64)
    shared = both._replace(previous_mask=torch.randn(1, 2, 16, 24), memory_owners=owners)
    together = model.decode(features, shared)
    without = model.decode(features, prompts[1])
    assert torch.allclose(together.mask_logits[:, 1:], without.mask_logits, atol=1e-4)
    own = prompts[0]._replace(
        previous_mask=shared.previous_mask[:, :1], memory_owners=owners[:, :1]
    )
    remembered = model.decode(features, own).mask_logits
    assert torch.allclose(together.mask_logits[:, :1], remembered, atol=1e-4)


def test_the_demo_remembers_nothing():
    model = small_model(Wiring.DEMO)
    features = features_of(model)
    prompts = marked(features, *CLICK)
    remembering = prompts._replace(
        previous_mask=torch.randn(1, 1, 16, 24),
        memory_owners=torch.zeros(1, 1, 3, SIZES.memory_tokens, dtype=torch.int64),
    )
    assert same(model.decode(features, prompts), model.decode(features, remembering))


def test_words_are_matched_by_angle(model, features):
    prompts = marked(features, [[0, 0]], [-1], **text_of(2))
    prompts = prompts._replace(selector=torch.full((1, 1), BY_TEXT))
    louder = prompts._replace(sentence=prompts.sentence * 7)
    first, second = model.decode(features, prompts), model.decode(features, louder)
    assert torch.allclose(first.match, second.match, atol=1e-4)


def test_an_example_is_found_again_in_its_own_image(model, features):
    click = marked(features, *CLICK)
    tokens = model.example(features, click.points, click.labels)
    assert tokens.examples.shape == (1, 1, 3, 1, SIZES.hidden)
    by_example = marked(features, [[0, 0]], [-1])._replace(
        examples=tokens.examples,
        example_mask=torch.ones(1, 1, 1),
        example_vector=tokens.vector,
        selector=torch.full((1, 1), BY_EXAMPLE),
    )
    direct, again = model.decode(features, click), model.decode(features, by_example)
    assert torch.allclose(direct.mask_logits, again.mask_logits, atol=1e-4)


def test_tracing_ends_with_the_answer(model, features):
    answers, heads = model.trace(features, marked(features, *CLICK))
    assert len(heads) == SIZES.decoder_layers + 1
    assert torch.equal(heads[-1].embeddings, answers.embeddings)
    assert same(answers, model.decode(features, marked(features, *CLICK)))


def test_folding_the_projections_changes_no_answer(model, features):
    prompts = marked(features, *CLICK)
    folded = model.decode(features, prompts)
    layers = model.sem_seg_head.predictor.transformer_cross_attention_layers
    try:
        for layer in layers:
            layer.folded = False
        assert same(folded, model.decode(features, prompts))
    finally:
        for layer in layers:
            layer.folded = True


def test_class_logits_are_scaled_cosines(model):
    vocabulary = torch.nn.functional.normalize(torch.randn(4, SIZES.hidden), dim=1)
    logits = model.class_logits(vocabulary * 3, vocabulary)
    assert torch.allclose(logits.diagonal(), model.language.logit_scale.exp().expand(4), rtol=1e-4)
