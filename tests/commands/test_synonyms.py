from __future__ import annotations

import json

import pytest

from seem_server.commands import synonyms
from seem_server.commands.synonyms import SynonymsInvalid, read_synonyms, shipped_file


def written(tmp_path, document):
    path = tmp_path / "synonyms.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_words_that_were_kept_back_are_read(tmp_path):
    document = {
        "couch": {"train": ["settee"], "held_out": ["sofa"]},
        "cat": {"train": ["kitten"], "held_out": []},
        "cup": {"train": []},
    }
    assert read_synonyms(written(tmp_path, document)) == {"couch": ("sofa",)}


@pytest.mark.parametrize(
    "document",
    ["no json", "[]", {"couch": ["sofa"]}, {"couch": {"held_out": "sofa"}}, {"a": {"held_out": 1}}],
)
def test_a_file_of_another_form_is_refused_with_an_example(tmp_path, document):
    with pytest.raises(SynonymsInvalid, match=r"synonyms\.json.*looks like"):
        read_synonyms(written(tmp_path, document))


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(SynonymsInvalid, match="cannot be read"):
        read_synonyms(tmp_path / "no.json")


def test_the_shipped_file_is_found_without_importing_its_package(monkeypatch):
    monkeypatch.setattr(synonyms, "FILE", "__init__.py")
    assert shipped_file().parent.name == "seem_model"
    monkeypatch.setattr(synonyms, "FILE", "no.json")
    assert shipped_file() is None
