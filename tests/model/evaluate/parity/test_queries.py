import numpy as np
import pytest
import torch

from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.queries import OBJECTS, TEXTS, Group, Said, check_group
from seem_model.evaluate.parity.sheet import Sheet, Use
from seem_model.variants import Wiring


@pytest.fixture
def group():
    generator = torch.Generator().manual_seed(5)

    def said():
        rows = torch.randn(2, 9, 32, generator=generator, dtype=torch.float64)
        return Said(rows, rows.flip(2))

    return Group(said(), [said(), said()])


def checked(setting, group, names, tmp_path, **arrays):
    path = tmp_path / "case.npz"
    np.savez(path, **arrays)
    sheet = Sheet(Golden(path))
    check_group(sheet, setting, setting.features(), group, names)
    return {row.array: row for row in sheet.rows}


def test_names_tell_which_queries_and_pixels_were_kept(setting_of, group, tmp_path):
    setting = setting_of(Wiring.V1)
    features = setting.features().mask_features[0]
    masks = torch.einsum("bqc,chw->bqhw", group.last.embeddings, features)
    early = torch.einsum("bqc,chw->bqhw", group.heads[1].embeddings, features)
    both = torch.stack([early, early])[:, 0, ::4, ::8, ::8]
    rows = checked(
        setting,
        Group(group.last, [group.heads[1]] * 2),
        OBJECTS,
        tmp_path,
        pred_masks=masks,
        pred_masks_s4=masks[:, ::4, ::4, ::4],
        pred_maskembs_q10=group.last.embeddings[:, ::10],
        pred_captions=group.last.captions,
        pred_logits=setting.class_logits(group.last.captions),
        aux_pred_masks_s8=both,
        aux_pred_logits_q5=torch.stack([setting.class_logits(group.heads[1].captions)[0, :5]] * 2),
    )
    assert len(rows) == 7
    assert all(row.ok for row in rows.values())


def test_other_groups_are_left_alone(setting_of, group, tmp_path):
    rows = checked(setting_of(Wiring.V1), group, TEXTS, tmp_path, pred_masks=np.zeros(3))
    assert rows == {}


def test_layers_that_cannot_be_seen_are_hidden(setting_of, group, tmp_path):
    blind = Group(group.last, [])
    arrays = {"aux_pred_logits_q5": np.zeros((9, 5, 134))}
    rows = checked(setting_of(Wiring.V1), blind, OBJECTS, tmp_path, **arrays)
    assert rows["aux_pred_logits_q5"].use is Use.HIDDEN


def test_a_batch_repeats_what_sees_no_prompt(group):
    one = Group(Said(*(x[:1] for x in group.last)), [])
    assert one.repeated(3).last.captions.shape == (3, 9, 32)
