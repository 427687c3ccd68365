from __future__ import annotations

import pytest

from seem_server import cli
from seem_server.commands.adapter import ADAPTERS


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_tells_its_options(name, capsys):
    assert cli.main(["adapter", name, "--help"]) == cli.DONE
    assert "--server" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["adapter"], ["adapter", "nothing"]])
def test_without_a_known_name_it_is_wrong_use(words, capsys):
    assert cli.main(words) == cli.MISUSED
    assert "NAME" in capsys.readouterr().err
