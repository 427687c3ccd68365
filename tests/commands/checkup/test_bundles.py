from __future__ import annotations

import shutil

from seem_server.commands.checkup.bundles import try_bundle
from seem_server.commands.checkup.finding import State, looked
from seem_server.runtime.bundle import shipped_bundles
from seem_server.settings import Settings


def tried(bundle, **options):
    settings = Settings(bundle=str(bundle))
    return looked("bundle", lambda: try_bundle("bundle", settings, needed=True, **options))


def test_a_whole_bundle_gives_a_mask_and_tells_where_it_ran():
    ran_on = []
    found = tried("tiny", ran_on=ran_on.append)
    assert found.state is State.OK
    assert "seem-tiny@" in found.told
    assert ran_on in (["cpu"], ["cuda"])


def test_a_bundle_with_a_changed_file_is_a_fault(tmp_path):
    shutil.copytree(shipped_bundles()["tiny"], tmp_path / "tiny")
    with (tmp_path / "tiny" / "prompt_decoder.onnx").open("r+b") as file:
        file.seek(100)
        file.write(b"spoilt")
    found = tried(tmp_path / "tiny")
    assert found.blocks
    assert "prompt_decoder.onnx" in found.told


def test_a_bundle_that_is_not_there_is_a_fault(tmp_path):
    assert tried(tmp_path / "none").blocks
