import torch
from made_goldens import recordable

from seem_model.evaluate.parity.subject import TorchSubject
from seem_model.published import prompts_of_nothing
from seem_model.rule_weights import rule_tensor
from seem_model.variants import Wiring


def test_every_weight_is_made_by_rule_and_in_the_wanted_precision(subjects):
    for name, tensor in subjects[Wiring.V1].model.state_dict().items():
        assert tensor.dtype == torch.float64, name
        expected = torch.from_numpy(rule_tensor(name, tuple(tensor.shape))).double()
        assert torch.equal(tensor, expected), name


def test_runs_are_counted_and_close_calls_kept(monkeypatch):
    monkeypatch.setattr("seem_model.evaluate.parity.close_calls.CLOSE", 0.5)
    subject = TorchSubject(recordable(), torch.float32)
    features = subject.encode(torch.randn(1, 3, 64, 64)).features
    prompts = prompts_of_nothing(features, sizes=recordable().sizes)
    for _ in range(2):
        subject.decode(features, prompts)
    assert {call.run for call in subject.close_calls} == {0, 1}
    first = subject.close_calls[0]
    subject.replay([first])
    turned = subject.decode(features, prompts)
    again = subject.decode(features, prompts)
    assert not torch.equal(turned.answers.embeddings, again.answers.embeddings)


def test_states_of_padding_are_zero(subjects):
    subject = subjects[Wiring.V1]
    ids = torch.tensor([[49406, 320, 49407, 49407]])
    states = subject.states(ids, torch.tensor([[1, 1, 1, 0]]))
    assert states[0, 3].abs().sum() == 0
    assert states[0, :3].abs().sum(1).all()
