import numpy as np
import pytest
from made_goldens import ORIGINAL, PADDED, RESIZED, rewrite

from seem_model.evaluate.parity.everything import check_postprocessing
from seem_model.evaluate.parity.golden import Golden, GoldenUnusable
from seem_model.evaluate.parity.sheet import Sheet
from seem_model.evaluate.parity.tolerances import DOUBLE
from seem_model.variants import Wiring


@pytest.fixture
def recorded(recorders):
    return recorders[Wiring.V1].everything()


def test_the_answers_without_a_prompt_and_their_segments_are_as_recorded(recorded, verdicts):
    rows = verdicts(recorded, Wiring.V1)
    assert [name for name, row in rows.items() if not row.ok] == []
    assert {"panoptic_info_t0.2_o0.5", "sem_seg_s16", "inst_masks_top5"} <= rows.keys()


@pytest.mark.parametrize("name", ["panoptic_seg", "sem_seg_argmax"])
def test_a_map_with_wrong_pixels_is_caught(recorded, verdicts, tmp_path, name):
    wrong = np.load(recorded)[name].copy()
    wrong[3, 3:6] += 1
    rows = verdicts(rewrite(recorded, tmp_path, **{name: wrong}), Wiring.V1)
    assert [row.array for row in rows.values() if not row.ok] == [name]


def test_post_processing_alone_needs_no_model(tmp_path):
    logits = np.full((1, 2, 134), -9.0, np.float32)
    logits[0, 0, 3] = logits[0, 1, 100] = 9  # a thing above, stuff below
    masks = np.full((1, 2, 16, 16), -5, np.float16)
    masks[0, 0, :5] = masks[0, 1, 5:] = 5
    seg = np.ones(ORIGINAL, np.uint8)
    seg[30:] = 2
    path = tmp_path / "postproc.npz"
    np.savez(
        path,
        pred_logits=logits,
        pred_masks=masks,
        input_hw=RESIZED,
        padded_hw=PADDED,
        output_hw=ORIGINAL,
        **{"panoptic_seg_t0.8": seg, "panoptic_info_t0.8": [[1, 1, 3], [2, 0, 100]]},
    )
    sheet = Sheet(Golden(path))
    with pytest.raises(GoldenUnusable, match="sem_seg_argmax"):  # recorded in every such file
        check_postprocessing(sheet, DOUBLE)
    rows = {row.array: row for row in sheet.rows}
    assert rows["panoptic_info_t0.8"].ok
