import numpy as np
import pytest
from made_goldens import rewrite

from seem_model.evaluate.parity.sheet import Use
from seem_model.variants import Wiring


@pytest.mark.parametrize("wiring", [Wiring.V0, Wiring.V1])
def test_tokens_of_a_reference_picture_and_what_they_find_are_as_recorded(
    recorders, verdicts, wiring
):
    rows = verdicts(recorders[wiring].refimg(), wiring)
    assert [name for name, row in rows.items() if not row.ok] == []
    assert ("prev_mask_out" in rows) is (wiring is Wiring.V0)


def test_where_the_reference_failed_only_tokens_are_compared(recorders, verdicts):
    rows = verdicts(recorders[Wiring.V1].refimg(), Wiring.V1)
    assert rows["target_error"].use is Use.ASIDE
    assert rows["src_spatial_queries_2"].use is Use.COMPARED


def test_wrong_tokens_are_caught(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V1].refimg()
    tokens = np.load(path)["src_spatial_queries_1"][::-1]  # another order
    rows = verdicts(rewrite(path, tmp_path, src_spatial_queries_1=tokens), Wiring.V1)
    assert [name for name, row in rows.items() if not row.ok] == ["src_spatial_queries_1"]
