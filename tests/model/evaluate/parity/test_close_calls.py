import pytest
import torch

from seem_model.decoder import dot_map
from seem_model.evaluate.parity.close_calls import Turned, close_calls
from seem_model.variants import Wiring


@pytest.fixture
def run(setting_of):
    setting = setting_of(Wiring.V0)
    features = setting.features()
    return setting.subject.model, features, setting.nothing(features)


def calls_of(run, monkeypatch):
    model, features, prompts = run
    monkeypatch.setattr("seem_model.evaluate.parity.close_calls.CLOSE", 0.5)
    with torch.inference_mode():
        _, heads = model.trace(features, prompts)
        return close_calls(4, features, heads), heads


def test_close_calls_are_within_rounding_of_zero(run, monkeypatch):
    calls, heads = calls_of(run, monkeypatch)
    assert calls
    levels = run[1].levels
    for call in calls:
        masks = dot_map(heads[call.layer].embeddings, levels[call.layer % 3].mask_features)
        logit = masks[0].flatten(2)[call.number, call.row, call.pixel]
        assert call.logit == pytest.approx(float(logit))
        assert abs(call.logit) < 0.5
    assert {call.run for call in calls} == {4}
    assert calls == sorted(calls, key=lambda call: abs(call.logit))


def test_a_turned_call_is_the_other_decision_and_nothing_else(run, monkeypatch):
    model, features, prompts = run
    call = calls_of(run, monkeypatch)[0][0]
    with torch.inference_mode():
        as_it_was = model.decode(features, prompts)
        with Turned(model, features, [call]):
            turned = model.decode(features, prompts)
        afterwards = model.decode(features, prompts)
        decoder, layers = model.sem_seg_head.predictor, iter(range(99))
        own_mask = decoder._own_mask

        def decide(queries, level):
            visible = own_mask(queries, level)
            if next(layers) == call.layer:
                visible[0, call.number, call.row, call.pixel] ^= True
            return visible

        monkeypatch.setattr(decoder, "_own_mask", decide)
        expected = model.decode(features, prompts)
    assert torch.equal(as_it_was.embeddings, afterwards.embeddings)
    assert not torch.allclose(as_it_was.embeddings, turned.embeddings, atol=1e-6)
    torch.testing.assert_close(turned.embeddings, expected.embeddings)


def test_a_call_has_one_place_whatever_its_logit(run, monkeypatch):
    call = calls_of(run, monkeypatch)[0][0]
    assert call._replace(logit=0.0).place == call.place
