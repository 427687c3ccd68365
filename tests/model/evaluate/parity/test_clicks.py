import numpy as np
import pytest
from made_goldens import rewrite

from seem_model.evaluate.parity.sheet import Use
from seem_model.variants import Wiring


@pytest.mark.parametrize("wiring", [Wiring.V0, Wiring.V1])
@pytest.mark.parametrize("memory", [False, True])
def test_clicks_on_two_objects_are_as_recorded(recorders, verdicts, wiring, memory):
    path = recorders[wiring].clicks("multi_memory" if memory else "multi", memory=memory)
    rows = verdicts(path, wiring)
    assert [name for name, row in rows.items() if not row.ok] == []
    compared = {name for name, row in rows.items() if row.use is Use.COMPARED}
    assert {"pred_smasks", "prev_mask_out", "match_logits", "final_mask_bits"} <= compared
    assert rows["pred_logits"].use is Use.COMPARED


@pytest.mark.parametrize("name", ["prev_mask_out", "pred_stexts", "match_logits", "pred_logits"])
def test_a_wrong_array_is_caught(recorders, verdicts, tmp_path, name):
    path = recorders[Wiring.V1].clicks("multi")
    array = np.load(path)[name].copy()
    array.flat[-1] += 0.001
    rows = verdicts(rewrite(path, tmp_path, **{name: array}), Wiring.V1)
    assert [row.array for row in rows.values() if not row.ok] == [name]


def test_other_rows_of_queries_are_other_answers(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V1].clicks("multi")
    rows = verdicts(rewrite(path, tmp_path, query_idx=np.array([1, 2, 3, 4, 5, 6])), Wiring.V1)
    assert not rows["pred_smaskembs"].ok


def test_draws_outside_of_the_prompt_are_refused(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V1].clicks("multi")
    moved = np.load(path)["pts_pos_mean"] + [0, 9, 0]
    rows = verdicts(rewrite(path, tmp_path, pts_pos_mean=moved.astype(np.int32)), Wiring.V1)
    assert not rows["pos_mask_bits"].ok
    assert not rows["pred_pspatials"].ok


def test_an_array_that_no_check_knows_fails(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V0].clicks("multi")
    rows = verdicts(rewrite(path, tmp_path, surprise=np.zeros(3)), Wiring.V0)
    assert rows["surprise"].use is Use.FORGOTTEN
    assert not rows["surprise"].ok
