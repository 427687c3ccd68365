import json

import numpy as np
import pytest
import torch
from PIL import Image
from published_models import SIZES, small_model

from seem_model.evaluate import rows
from seem_model.evaluate.rows import study_rows


@pytest.fixture(scope="module")
def model():
    return small_model()


def pictures(n=2):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 3, 64, 96, generator=generator) for _ in range(n)]


def test_every_candidate_is_judged_on_clicks_that_picked_nothing(model):
    study = study_rows(model, pictures(), n_draws=4, side=2, seed=0)
    assert (study.n_clicks, study.n_draws) == (4, 4)  # half of two pictures' four clicks
    assert [len(one.rows) for one in study.candidates] == [3, 3, SIZES.object_queries]
    assert all(0 <= one.agreement <= 1 for one in study.candidates)
    assert 0 <= study.among_draws <= 1
    assert study.candidates[0].cost == 1


def test_where_all_queries_say_the_same_every_choice_agrees():
    model = small_model()
    predictor = model.sem_seg_head.predictor
    for table in (predictor.query_feat.weight, predictor.query_embed.weight):
        table[:] = table[:1].clone()
    study = study_rows(model, pictures(1), n_draws=3, side=2, seed=1)
    assert study.among_draws == pytest.approx(1)
    best_of_three = [one.agreement for one in study.candidates[:2]]
    assert best_of_three == pytest.approx([1, 1])


def test_the_command_prints_what_was_found(model, monkeypatch, tmp_path, capsys):
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    monkeypatch.setattr(rows, "load_model", lambda _path, _variant: model)
    given = ["a.pt", "--variant", "v", "--images", str(tmp_path), "--short-side", "32"]
    few = ["--draws", "2", "--clicks", "2"]
    assert rows.main([*given, *few, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clicks"] == 2
    assert rows.main([*given, *few]) == 0
    assert "evenly spread" in capsys.readouterr().out


def test_a_folder_without_pictures_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        rows.main(["a.pt", "--variant", "v", "--images", str(tmp_path)])
    assert stopped.value.code == 2
    assert "picture" in capsys.readouterr().err
