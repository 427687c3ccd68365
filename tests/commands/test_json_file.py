from __future__ import annotations

import json

import pytest

from seem_server.commands.json_file import write_json


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"masks": [1, None]})
    assert json.loads(path.read_text()) == {"masks": [1, None]}
    with pytest.raises(TypeError):
        write_json(path, {"bad": object()})
    assert json.loads(path.read_text()) == {"masks": [1, None]}
    assert list(tmp_path.iterdir()) == [path]
