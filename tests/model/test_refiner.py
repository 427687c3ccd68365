import torch


def logits(tiny, features, prompts):
    with torch.inference_mode():
        return tiny.answer(features, prompts).mask_logits


def test_answers_at_stride_4(tiny, features, clicks):
    assert logits(tiny, features, clicks((20, 20), (70, 40))).shape == (1, 2, 16, 24)


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
