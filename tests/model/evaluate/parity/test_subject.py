import torch
from made_goldens import recordable

from seem_model.published import prompts_of_nothing
from seem_model.rule_weights import rule_tensor
from seem_model.variants import Wiring


def test_every_weight_is_made_by_rule_and_in_the_wanted_precision(subjects):
    for name, tensor in subjects[Wiring.V1].model.state_dict().items():
        assert tensor.dtype == torch.float64, name
        expected = torch.from_numpy(rule_tensor(name, tuple(tensor.shape))).double()
        assert torch.equal(tensor, expected), name


def test_what_the_layers_say_is_seen(subjects):
    subject = subjects[Wiring.V1]
    features = subject.encode(torch.randn(1, 3, 64, 64, dtype=torch.float64)).features
    prompts = prompts_of_nothing(features, sizes=recordable().sizes)
    decoded = subject.decode(features, prompts)
    assert len(decoded.heads) == recordable().sizes.decoder_layers + 1
    assert torch.equal(decoded.heads[-1].embeddings, decoded.answers.embeddings)
    again = subject.heads(features, prompts)
    assert all(torch.equal(*pair) for pair in zip(again[0], decoded.heads[0], strict=True))


def test_states_of_padding_are_zero(subjects):
    subject = subjects[Wiring.V1]
    ids = torch.tensor([[49406, 320, 49407, 49407]])
    states = subject.states(ids, torch.tensor([[1, 1, 1, 0]]))
    assert states[0, 3].abs().sum() == 0
    assert states[0, :3].abs().sum(1).all()
