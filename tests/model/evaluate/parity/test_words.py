import numpy as np
import pytest
import torch
from made_goldens import TEXTS, rewrite

from seem_model.evaluate.parity.words import text_match
from seem_model.variants import Wiring


@pytest.mark.parametrize("wiring", [Wiring.V0, Wiring.V1])
def test_several_texts_in_one_run_are_as_recorded(recorders, verdicts, wiring):
    rows = verdicts(recorders[wiring].words("grounding"), wiring)
    assert [name for name, row in rows.items() if not row.ok] == []
    assert rows["matched_masks"].error < 1e-4


def test_other_texts_are_other_answers(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V1].words("grounding")
    rows = verdicts(rewrite(path, tmp_path, texts=np.array([TEXTS[0], "the tree"])), Wiring.V1)
    assert not rows["input_ids"].ok
    assert not rows["grounding_tokens"].ok


def test_texts_match_by_direction_and_a_clamped_scale(setting_of):
    setting = setting_of(Wiring.V1)
    captions = torch.eye(32, dtype=torch.float64)[:3] * 5
    match = text_match(setting, captions, captions[1:2] / 9)
    assert match[:, 0].tolist() == pytest.approx([0, 100, 0], abs=1e-4)  # exp(4.8) is 121.5
