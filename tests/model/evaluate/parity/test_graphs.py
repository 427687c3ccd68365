import pytest
import torch
from made_goldens import recordable

from seem_model.evaluate.parity.plan import check_file
from seem_model.evaluate.parity.setting import Setting
from seem_model.evaluate.parity.sheet import Use
from seem_model.evaluate.parity.subject import TorchSubject
from seem_model.evaluate.parity.tolerances import SINGLE
from seem_model.variants import Wiring


@pytest.mark.slow
def test_exported_graphs_give_what_was_recorded(recorders, tmp_path):
    from seem_model.evaluate.parity.graphs import GraphSubject

    recorder = recorders[Wiring.V1]
    model = TorchSubject(recordable(Wiring.V1), torch.float32).model
    setting = Setting(GraphSubject(model, tmp_path), recorder.root, SINGLE)
    files = [
        recorder.encoder(),
        recorder.clicks("multi_memory", memory=True),
        recorder.words("grounding"),
        recorder.everything(),
        recorder.refimg(),
    ]
    rows = [row for file in files for row in check_file(file, setting)]
    assert [(row.file, row.array) for row in rows if not row.ok] == []
    hidden = {row.array for row in rows if row.use is Use.HIDDEN}
    assert hidden == {"res2", "aux_pred_masks_s8", "aux_pred_logits_q5", "aux_pred_smasks_s4"}
