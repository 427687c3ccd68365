import torch

from seem_model.seem import sentence


def test_scores_are_probabilities_and_meanings_unit_vectors(tiny, features, clicks):
    with torch.inference_mode():
        answers = tiny.answer(features, clicks((20, 20), (70, 40)))
    assert ((answers.iou >= 0) & (answers.iou <= 1)).all()
    assert ((answers.presence >= 0) & (answers.presence <= 1)).all()
    torch.testing.assert_close(answers.semantic.norm(dim=-1), torch.ones(1, 2))


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
        text=torch.randn(1, 1, 1, 32), text_mask=torch.ones(1, 1, 1), has_previous=torch.ones(1, 1)
    )
    answers = tiny.answer(tiny.encode(torch.randn(1, 3, 64, 96)), prompts)
    sum(answer.sum() for answer in answers).backward()
    without = {name for name, p in tiny.named_parameters() if p.grad is None}
    tiny.zero_grad()
    assert without == {"logit_scale"}  # learned by the words' loss alone
