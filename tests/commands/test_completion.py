from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time

import pytest

from seem_server.cli import SUBCOMMANDS, build_parser, main
from seem_server.commands import completion

CASES = [
    ("seem se", {"segment", "serve"}),
    ("seem evaluate inter", {"interactive"}),
    ("seem segment --neg", {"--negative", "--negative-box"}),
    ("seem track clip --direction ", {"forward", "backward", "both"}),
    ("seem serve --bundle ", {"lite", "tiny"}),
    ("seem completion z", {"zsh"}),
]
PATIENCE_S = 20.0


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The file of each shell's script."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in completion.SHELLS:
        (folder / shell).write_text(completion.script(build_parser(), shell))
    return folder


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_is_printed_and_knows_every_command(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in SUBCOMMANDS)


@needs("bash")
@pytest.mark.parametrize(("typed", "offered"), CASES)
def test_bash_completes(scripts, typed, offered):
    words = [*typed.split(), *[""] * typed.endswith(" ")]
    program = (
        f"source {scripts / 'bash'}\n"
        "how=$(complete -p seem); how=${how##*-F }; how=${how%% *}\n"
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}\n"
        f"$how seem {shlex.quote(words[-1])} {shlex.quote(words[-2])}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == offered


@needs("bash")
def test_files_are_completed_where_a_file_is_meant(scripts, tmp_path):
    (tmp_path / "photo.jpg").touch()
    program = (
        f"cd {tmp_path}; source {scripts / 'bash'}\nCOMP_WORDS=(seem segment ph); COMP_CWORD=2\n"
        '_shtab_seem seem ph segment; echo "${COMPREPLY[@]}"'
    )
    told = subprocess.check_output(["bash", "--norc", "-c", program], text=True)  # noqa: S607
    assert told.split() == ["photo.jpg"]


@needs("fish")
@pytest.mark.parametrize(("typed", "offered"), CASES)
def test_fish_completes(scripts, typed, offered):
    program = f"source {scripts / 'fish'}; complete -C {shlex.quote(typed)}"
    told = subprocess.check_output(["fish", "--no-config", "-c", program], text=True)  # noqa: S607
    assert {line.split("\t")[0] for line in told.splitlines()} == offered


@needs("zsh")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("seem evaluate inter", "interactive"),
        ("seem segment --scr", "--scribble"),
        ("seem segment photo.jpg --negative-", "--negative-box"),
        ("seem serve --bundle li", "lite"),
        ("seem track clip --direction forw", "forward"),
    ],
)
def test_zsh_completes(scripts, typed, completed):
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb"})  # noqa: S606, S607
    try:
        script = f'eval "$(cat {scripts / "zsh"})"'
        said(terminal, f"autoload -U compinit; compinit -u -D; {script}; echo re''ady\n", "ready")
        line = said(terminal, f"{typed}\t", completed)
        assert line.rstrip().endswith(completed)
    finally:
        os.close(terminal)
        os.kill(process, 9)
        os.waitpid(process, 0)


def said(terminal, text, until):
    """What a terminal has shown when, after `text` was typed, it shows `until`."""
    os.write(terminal, text.encode())
    shown, end_s = "", time.monotonic() + PATIENCE_S
    while until not in shown and time.monotonic() < end_s:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown


def test_without_what_writes_scripts_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "seem-server[serve]" in capsys.readouterr().err
