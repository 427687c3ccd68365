"""Recorded outputs of small variants, and the variants themselves in float64."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")


@pytest.fixture(scope="session")
def recorders(tmp_path_factory):
    """By wiring."""
    from made_goldens import Recorder

    from seem_model.variants import Wiring

    root = tmp_path_factory.mktemp("golden")
    made = {wiring: Recorder(root, wiring) for wiring in Wiring}
    made[Wiring.V1].shared()
    return made


@pytest.fixture(scope="session")
def subjects():
    """By wiring."""
    from made_goldens import recordable

    from seem_model.evaluate.parity.subject import TorchSubject
    from seem_model.variants import Wiring

    return {wiring: TorchSubject(recordable(wiring), torch.float64) for wiring in Wiring}


@pytest.fixture
def setting_of(recorders, subjects):
    """A function of the wiring."""
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.tolerances import DOUBLE

    def make(wiring):
        return Setting(subjects[wiring], recorders[wiring].root, DOUBLE)

    return make


@pytest.fixture
def verdicts(setting_of):
    """A function of a file and a wiring: the rows by array."""
    from seem_model.evaluate.parity.plan import check_file

    def check(path, wiring):
        return {row.array: row for row in check_file(path, setting_of(wiring))}

    return check
