from dataclasses import replace

import pytest
import torch

from seem_model.decoder import dot_map
from seem_model.evaluate.parity.close_calls import CLEAR, close_calls, turned
from seem_model.published import QueryFeatures
from seem_model.variants import Wiring


@pytest.fixture
def run(setting_of):
    setting = setting_of(Wiring.V0)
    features = setting.features()
    return setting.subject.model, features, setting.nothing(features)


@pytest.fixture
def calls(run, monkeypatch):
    """In a model this small nothing is closer."""
    monkeypatch.setattr("seem_model.evaluate.parity.close_calls.CLOSE", 0.5)
    model, features, prompts = run
    with torch.inference_mode():
        _, heads = model.trace(features, prompts)
        found = close_calls(4, features, heads)
    return sorted(found, key=lambda call: abs(call.logit)), heads


def logit_of(call, features):
    masks = features.levels[call.layer % 3].mask_features
    return float(call.embedding.to(masks.dtype) @ masks[0].flatten(1)[:, call.pixel])


def test_close_calls_are_within_rounding_of_zero(run, calls):
    found, heads = calls
    levels = run[1].levels
    for call in found:
        masks = dot_map(heads[call.layer].embeddings, levels[call.layer % 3].mask_features)
        logit = masks[0].flatten(2)[call.number, call.row, call.pixel]
        assert call.logit == pytest.approx(float(logit))
        assert abs(call.logit) < 0.5
        assert call.seen == (logit < 0)  # the other way
    assert {call.run for call in found} == {4}


def test_a_turned_call_is_the_other_decision_and_nothing_else(run, calls, monkeypatch):
    model, features, prompts = run
    call = calls[0][0]
    with torch.inference_mode():
        as_it_was = model.decode(features, prompts)
        nudged = model.decode(turned(features, [call]), prompts)
        decoder, layers = model.sem_seg_head.predictor, iter(range(99))
        own_mask = decoder._own_mask

        def decide(queries, level):
            visible = own_mask(queries, level)
            if next(layers) == call.layer:
                visible[0, call.number, call.row, call.pixel] ^= True
            return visible

        monkeypatch.setattr(decoder, "_own_mask", decide)
        expected = model.decode(features, prompts)
    assert not torch.allclose(as_it_was.embeddings, nudged.embeddings, atol=1e-6)
    torch.testing.assert_close(nudged.embeddings, expected.embeddings)


def test_what_is_nudged_is_no_more_than_the_rounding(run, calls):
    _, features, _ = run
    call = replace(calls[0][0], logit=3e-6, seen=False)
    other = turned(features, [call])
    assert torch.equal(other.mask_features, features.mask_features)
    changed = [
        (before.mask_features - after.mask_features).abs().max()
        for before, after in zip(features.levels, other.levels, strict=True)
    ]
    assert sorted(changed)[:2] == [0, 0]
    assert 0 < max(changed) < 1e-5


def test_single_precision_is_pushed_to_either_side(run, calls):
    _, features, _ = run
    levels = [type(level)(*(x.float() for x in level)) for level in features.levels]
    single = QueryFeatures(levels, features.mask_features.float())
    heads = [type(head)(*(x.float() for x in head)) for head in calls[1]]
    found = close_calls(0, single, heads)
    assert len(found) == 2 * len(calls[0])
    closest = min(found, key=lambda call: abs(call.logit))
    for seen in (False, True):
        call = replace(closest, seen=seen, logit=logit_of(closest, single))
        logit = logit_of(call, turned(single, [call]))
        assert (logit > 0) is seen
        assert abs(logit) > CLEAR / 2
