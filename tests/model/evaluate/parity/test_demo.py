import numpy as np
import pytest
from made_goldens import rewrite

from seem_model.evaluate.parity.sheet import Use
from seem_model.variants import Wiring

CASES = ["stroke_point", "text", "example", "stroke_example_text", "video_frame1"]


@pytest.mark.parametrize("case", CASES)
def test_any_prompts_together_are_as_recorded(recorders, verdicts, case):
    rows = verdicts(recorders[Wiring.DEMO].demo(case), Wiring.DEMO)
    assert [name for name, row in rows.items() if not row.ok] == []
    assert rows["matched_query"].use is Use.COMPARED


def test_the_tokens_of_the_example_are_as_recorded(recorders, verdicts):
    path = recorders[Wiring.DEMO].demo("example").with_stem("example_tokens")
    rows = verdicts(path, Wiring.DEMO)
    assert [name for name, row in rows.items() if not row.ok] == []


def test_another_query_is_caught(recorders, verdicts, tmp_path):
    path = recorders[Wiring.DEMO].demo("text")
    other = np.load(path)["matched_query"] + 1
    rows = verdicts(rewrite(path, tmp_path, matched_query=other), Wiring.DEMO)
    assert [name for name, row in rows.items() if not row.ok] == ["matched_query"]


def test_without_its_stroke_a_prompt_has_other_answers(recorders, verdicts, tmp_path):
    path = recorders[Wiring.DEMO].demo("stroke_point")
    moved = {name: array + 9 for name, array in np.load(path).items() if name.startswith("pts_pos")}
    rows = verdicts(rewrite(path, tmp_path, **moved), Wiring.DEMO)
    assert not rows["stroke_bits"].ok
    assert not rows["pred_logits"].ok
