import pytest
import torch

from seem_model.seem import N_STATISTICS, _statistics, sentence


def test_scores_are_probabilities_and_meanings_unit_vectors(tiny, features, clicks):
    with torch.inference_mode():
        answers = tiny.answer(features, clicks((20, 20), (70, 40)))
    assert ((answers.iou >= 0) & (answers.iou <= 1)).all()
    assert ((answers.presence >= 0) & (answers.presence <= 1)).all()
    torch.testing.assert_close(answers.semantic.norm(dim=-1), torch.ones(1, 2, 4))
    assert answers.iou.shape == (1, 2, 4)
    assert answers.presence.shape == (1, 2)


def test_equal_input_gives_bit_equal_answers(tiny, features, clicks):
    with torch.inference_mode():
        first, second = (tiny.answer(features, clicks((20, 20))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_sentence_is_the_mean_of_its_real_tokens():
    text = torch.tensor([[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]])
    expected = torch.tensor([3.0, 4.0]) / 5
    torch.testing.assert_close(sentence(text, torch.tensor([1.0, 1.0, 0.0])), expected)


def test_no_tokens_make_a_sentence_of_zeros():
    assert sentence(torch.ones(2, 3), torch.zeros(2)).tolist() == [0.0, 0.0, 0.0]


def test_every_learned_part_gets_a_gradient(tiny, clicks):
    tiny.zero_grad()
    prompts = clicks((20, 20))._replace(
        text=torch.randn(1, 1, 1, 32),
        text_mask=torch.ones(1, 1, 1),
        has_previous=torch.ones(1, 1),
        example=torch.randn(1, 1, 16),
        has_example=torch.ones(1, 1),
    )
    answers = tiny.answer(tiny.encode(torch.randn(1, 3, 64, 96)), prompts)
    sum(answer.sum() for answer in answers).backward()
    without = {name for name, p in tiny.named_parameters() if p.grad is None}
    tiny.zero_grad()
    assert without == {"logit_scale"}  # learned by the words' loss alone


def test_an_example_changes_the_answer_only_with_its_flag(tiny, features, clicks):
    base = clicks((20, 20))
    flagless = base._replace(example=torch.randn(1, 1, 16))
    shown = flagless._replace(has_example=torch.ones(1, 1))
    with torch.inference_mode():
        expected, same, other = (tiny.answer(features, p) for p in (base, flagless, shown))
    torch.testing.assert_close(same.mask_logits, expected.mask_logits)
    assert not torch.allclose(other.mask_logits, expected.mask_logits)


def test_nothing_means_one_place_of_the_joint_space(tiny):
    nothing = tiny.nothing()
    assert nothing.shape == (16,)
    assert nothing.norm().item() == pytest.approx(1)


def test_what_nothing_means_changes_what_words_find(tiny, features, clicks):
    prompts = clicks((20, 20))._replace(text=torch.ones(1, 1, 1, 32), text_mask=torch.ones(1, 1, 1))
    with torch.inference_mode():
        before = tiny.answer(features, prompts).mask_logits
        tiny.no_name.neg_()
        after = tiny.answer(features, prompts).mask_logits
        tiny.no_name.neg_()
    assert not torch.allclose(before, after)


def statistics_of_a_quarter():
    """A mask of 0.8 on the left quarter, where words fit at 0.6; elsewhere they fit at 0.9."""
    soft = torch.zeros(1, 1, 1, 8, 16)
    soft[..., :4] = 0.8
    similar = torch.full((1, 1, 5, 4, 8), -1.0)
    similar[:, :, 2] = 0.9
    similar[:, :, 2, :, :2] = 0.6
    weight = torch.nn.functional.avg_pool2d(soft.flatten(0, 1), 2)
    return _statistics(soft, weight, similar)[0, 0, 0]


def test_a_mask_is_judged_by_how_sure_and_large_it_is():
    sure, extent, *_ = statistics_of_a_quarter().tolist()
    assert sure == pytest.approx(0.8, abs=1e-3)
    assert extent == pytest.approx(0.2**0.5)


def test_a_mask_is_judged_by_how_well_words_and_example_fit_under_it_and_anywhere():
    statistics = statistics_of_a_quarter()
    assert len(statistics) == N_STATISTICS
    assert statistics[2:5].tolist() == pytest.approx([0.6, -1, -1], abs=1e-3)
    assert statistics[5:].tolist() == pytest.approx([0.9, -1, -1])


def test_an_empty_mask_can_be_judged():
    empty = torch.zeros(1, 1, 1, 8, 8), torch.zeros(1, 1, 4, 4), torch.full((1, 1, 5, 4, 4), -1.0)
    assert _statistics(*empty).isfinite().all()
