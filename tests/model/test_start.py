import copy

import pytest
import torch

from seem_model.train.start import load_weights, save_weights


@pytest.fixture
def saved(tiny, tmp_path):
    torch.save({"average": tiny.state_dict(), "optimizer": {}}, tmp_path / "checkpoint.pt")
    save_weights(tmp_path / "checkpoint.pt", tmp_path / "weights" / "tiny.pt")
    return tmp_path / "weights" / "tiny.pt"


def test_a_model_begins_where_the_saved_one_ended(tiny, saved):
    other = copy.deepcopy(tiny)
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    load_weights(other, saved)
    for name, value in other.state_dict().items():
        assert value.dtype == tiny.state_dict()[name].dtype
        torch.testing.assert_close(value, tiny.state_dict()[name], rtol=1e-3, atol=1e-3)


def test_weights_of_another_model_are_refused(saved):
    with pytest.raises(RuntimeError, match="Missing key"):
        load_weights(torch.nn.Linear(2, 2), saved)
