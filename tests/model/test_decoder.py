import torch

from seem_model.decoder import sample_points


def answers(tiny, features, prompts):
    with torch.inference_mode():
        return tiny.answer(features, prompts)


def test_query_rows_are_fixed_spread_and_distinct(tiny):
    assert tiny.predictor.query_rows().tolist() == [1, 4, 7]


def test_samples_sit_on_the_corners_at_the_fractions_zero_and_one():
    grid = torch.arange(6.0).reshape(1, 1, 2, 3)
    points = torch.tensor([[[[0.0, 0.0], [1.0, 1.0], [0.5, 0.0]]]])
    assert sample_points(grid, points).flatten().tolist() == [0.0, 5.0, 1.0]


def test_objects_do_not_see_each_other(tiny, features, clicks):
    alone = answers(tiny, features, clicks((20, 20)))
    together = answers(tiny, features, clicks((20, 20), (70, 40)))
    torch.testing.assert_close(alone.proposals[0, 0], together.proposals[0, 0])


def test_padding_points_change_nothing(tiny, features, clicks):
    prompts = clicks((20, 20))
    padded = prompts._replace(
        points=torch.cat([prompts.points, torch.full((1, 1, 3, 2), 50.0)], 2),
        labels=torch.cat([prompts.labels, torch.full((1, 1, 3), -1.0)], 2),
    )
    expected = answers(tiny, features, prompts).proposals
    torch.testing.assert_close(answers(tiny, features, padded).proposals, expected)


def test_a_previous_mask_without_its_flag_is_ignored(tiny, features, clicks):
    prompts = clicks((20, 20))
    other = prompts._replace(previous_mask=torch.randn(1, 1, 16, 24))
    expected = answers(tiny, features, prompts).proposals
    torch.testing.assert_close(answers(tiny, features, other).proposals, expected)


def test_points_memory_and_words_each_change_the_proposals(tiny, features, clicks):
    base = clicks((20, 20))
    memory = base._replace(previous_mask=torch.randn(1, 1, 16, 24), has_previous=torch.ones(1, 1))
    words = base._replace(text=torch.randn(1, 1, 1, 32), text_mask=torch.ones(1, 1, 1))
    expected = answers(tiny, features, base).proposals
    for prompts in (clicks((60, 40)), memory, words):
        assert not torch.allclose(answers(tiny, features, prompts).proposals, expected)
