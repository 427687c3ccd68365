import numpy as np
import pytest
from made_goldens import rewrite

from seem_model.evaluate.parity.clicks import click_prompts
from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.plan import check_file, plan, recorded_variants, unknown_files
from seem_model.evaluate.parity.sheet import Sheet
from seem_model.variants import Wiring


@pytest.fixture
def root(tmp_path):
    for name in ("focalt_shared/text", "focalt_v0/point", "focalt_v1/box", "davitd3_v1/none"):
        path = tmp_path / f"{name}.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez(path, a=1)
    return tmp_path


def names(root, **options):
    return {
        variant: [f"{path.parent.name}/{path.stem}" for path in files]
        for variant, files in plan(root, recorded_variants(root), **options)
    }


def test_what_variants_share_goes_with_the_first_of_them(root):
    assert names(root) == {
        "focalt_v0": ["focalt_shared/text", "focalt_v0/point"],
        "focalt_v1": ["focalt_v1/box"],
        "davitd3_v1": ["davitd3_v1/none"],
    }


def test_one_variant_has_what_it_shares_too(root):
    assert names(root, only_variant="focalt_v1") == {
        "focalt_v1": ["focalt_shared/text", "focalt_v1/box"]
    }


def test_a_pattern_leaves_out_the_rest(root):
    assert names(root, only="*/[bn]o*") == {
        "focalt_v1": ["focalt_v1/box"],
        "davitd3_v1": ["davitd3_v1/none"],
    }


def test_a_file_of_no_variant_has_failed(root):
    path = root / "focalt_v9" / "point.npz"
    path.parent.mkdir()
    np.savez(path, a=1)
    (row,) = unknown_files(root)
    assert (row.file, row.ok) == ("focalt_v9/point", False)


@pytest.mark.parametrize("passes", [True, False])
def test_a_close_call_that_fell_otherwise_is_told_from_a_mistake(
    recorders, setting_of, tmp_path, monkeypatch, passes
):
    """Recorded with one decision turned: as if float32 had put it on the other side."""
    monkeypatch.setattr("seem_model.evaluate.parity.close_calls.CLOSE", 0.5)
    setting, path = setting_of(Wiring.V1), recorders[Wiring.V1].clicks("multi")
    assert all(row.ok for row in check_file(path, setting))
    said = said_with_a_turned_call(path, setting, recorders[Wiring.V1])
    if not passes:
        said["pred_stexts"] += 0.01
    changed = rewrite(path, tmp_path, **said)
    rows = {row.array: row for row in check_file(changed, setting)}
    assert rows["pred_smaskembs"].ok is passes
    assert ("1 attention decision" in rows["pred_smaskembs"].note) is passes


def said_with_a_turned_call(path, setting, recorder):
    """What the marks' queries say if the closest decision falls the other way."""
    features = setting.features()
    prompts = click_prompts(Sheet(Golden(path)), setting, features)
    setting.replay((), anew=False)
    setting.decode(features, prompts)
    setting.replay([min(setting.close_calls, key=lambda call: abs(call.logit))], anew=False)
    answers, heads = setting.decode(features, prompts)
    setting.forget()
    answers = answers._replace(
        **{name: value.float() for name, value in answers._asdict().items() if name != "selected"}
    )
    heads = [type(head)(*(value.float() for value in head)) for head in heads]
    said = recorder.said_of_marks(answers, heads, batched=False)
    return {name: np.array(value) for name, value in said.items()}


def test_a_file_that_cannot_be_used_has_failed(recorders, setting_of, tmp_path):
    path = recorders[Wiring.V1].clicks("multi")
    lacking = rewrite(path, tmp_path, without=["match_logits"])
    (row,) = [row for row in check_file(lacking, setting_of(Wiring.V1)) if not row.ok]
    assert "no array match_logits" in row.note
    lacking.write_bytes(path.read_bytes()[:1000])
    (row,) = check_file(lacking, setting_of(Wiring.V1))
    assert "can't be read" in row.note
    assert not row.ok
