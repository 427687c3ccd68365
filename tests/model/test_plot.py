import json

import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib")

from seem_model.train.plot import plot


def test_a_log_becomes_a_picture(tmp_path):
    figures = dict.fromkeys(("loss", "mask", "proposal", "semantic", "iou_first", "iou_last"), 0.5)
    lines = [{"kind": "train", "step": step, **figures} for step in (20, 40)]
    lines.append({"kind": "watch", "step": 40, "iou": [0.1, 0.2, 0.3, 0.4, 0.5]})
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert plot(tmp_path).read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_log_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError):
        plot(tmp_path)
