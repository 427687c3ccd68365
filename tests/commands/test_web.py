from __future__ import annotations

import json
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from seem_server import cli
from seem_server.commands import web
from seem_server.commands.reach import free_port
from seem_server.settings import SettingInvalid


def started(*flags):
    return subprocess.Popen(
        [sys.executable, "-m", "seem_server", *flags], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_what_to_open_and_stops_when_it_is_told_to(number):
    with started("web", "--bundle", "fake", "--port", "0") as process:
        url = process.stdout.readline().split()[1]
        with urlopen(url) as page:  # noqa: S310  (our own page)
            assert b"app.js" in page.read()
        process.send_signal(number)
        assert process.wait(20) == 0


def test_a_server_serves_it_beside_itself():
    port = free_port()
    flags = ("--bundle", "fake", "--store", "memory", "--port", "0", "--web-port", str(port))
    with started("serve", *flags) as process:
        assert process.stdout.readline().startswith("seem serves fake@1")
        assert (
            process.stdout.readline() == f"open http://localhost:{port} in a browser to annotate\n"
        )
        with urlopen(f"http://localhost:{port}") as page:
            assert page.status == 200
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--host", "192.0.2.1"), "Give --tls-cert and --tls-key"),
        (("--tls-key", "key.pem"), "go together"),
        (("--tls-cert", "no.pem", "--tls-key", "key.pem"), "--tls-cert is 'no.pem'"),
        (("--token-file", "token"), "Browsers bring their own tokens"),
        (("--server", "nowhere"), "HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_wrong_use(flags, sentence, capsys):
    assert cli.main(["web", *flags]) == cli.MISUSED
    assert sentence in capsys.readouterr().err


def test_programs_are_told_where_it_serves_as_json():
    with started("web", "--bundle", "fake", "--port", "0", "--json") as process:
        url = json.loads(process.stdout.readline())["url"]
        assert urlopen(url).status == 200  # noqa: S310  (our own page)
        process.terminate()
        assert process.communicate(timeout=20)[0] == ""


def test_a_server_with_tls_does_not_serve_it_itself(capsys):
    flags = ["--web-port", "8010", "--tls-cert", "c", "--tls-key", "k"]
    assert cli.main(["serve", *flags]) == cli.MISUSED
    assert "seem web --server" in capsys.readouterr().err


def test_what_it_needs_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in [name for name in sys.modules if name.startswith("seem_server.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("seem_server.web.site", raising=False)
    with pytest.raises(SettingInvalid, match=r"aiohttp: pip install 'seem-server\[web\]'"):
        web.load_site()


def test_the_other_commands_do_without_what_it_needs():
    program = "import sys; sys.modules['aiohttp'] = None; from seem_server import cli; "
    program += "sys.exit(cli.main(['info', 'lite']))"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0
