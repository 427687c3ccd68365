"""A real Label Studio from its package, on SQLite in a folder of its own, and what it is asked.

It lives in an environment of its own (`make test-tools` makes it): its dependencies are not ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from seem_server.commands.reach import free_port

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(os.environ.get("SEEM_LABEL_STUDIO", ROOT / ".venv-label-studio"))
TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 - of a server that lives as long as a test
STARTING_S = 240


def is_installed():
    return (ENVIRONMENT / "bin/label-studio").exists()


def run_python(program, given):
    """What a program in Label Studio's environment prints, given JSON on standard input."""
    done = subprocess.run(
        [ENVIRONMENT / "bin/python", "-c", program],
        input=json.dumps(given), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@contextlib.contextmanager
def running(folder):
    """A client of a fresh server. It may ask this machine, which it would refuse by itself."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "false",
        "COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "LOG_LEVEL": "WARNING",
        "LABEL_STUDIO_USERNAME": "ann@seem.example", "LABEL_STUDIO_PASSWORD": "of-no-worth",
        "LABEL_STUDIO_USER_TOKEN": TOKEN, "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "",
    }  # fmt: skip
    command = [ENVIRONMENT / "bin/label-studio", "start", "--no-browser", "--port", str(port)]
    command += ["--internal-host", "127.0.0.1", "--data-dir", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        studio = Studio(f"http://127.0.0.1:{port}")
        studio.wait(process)
        yield studio
    finally:
        process.terminate()
        process.wait(20)


class Studio:
    """Label Studio's API, as its owner."""

    def __init__(self, url):
        self.url = url

    def wait(self, process):
        ends = time.monotonic() + STARTING_S
        while process.poll() is None and time.monotonic() < ends:
            with contextlib.suppress(OSError):
                self.ask("/api/version")
                return
            time.sleep(0.3)
        raise RuntimeError("Label Studio does not start: see `log` in its folder.")

    def ask(self, path, body=None, *, method=None, kind="application/json", raw=False):
        data = (
            json.dumps(body).encode() if kind == "application/json" and body is not None else body
        )
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            held = answer.read()
        return held if raw else json.loads(held)

    def project(self, label_config):
        made = self.ask("/api/projects/", {"title": "Seem", "label_config": label_config})
        return made["id"]

    def upload(self, project, name, data):
        """Makes a project's only task of an image; gives the task."""
        kind, edge = "multipart/form-data; boundary=edge", b"--edge"
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"'.encode()
        body = b"\r\n".join((edge, head, b"", data, edge + b"--", b""))
        self.ask(f"/api/projects/{project}/import", body, kind=kind)
        (task,) = self.ask(f"/api/projects/{project}/tasks/")
        return task["id"]

    def attach(self, project, url):
        body = {"url": url, "project": project, "title": "seem", "is_interactive": True}
        return self.ask("/api/ml/", body)

    def interact(self, backend, task, *regions, **context):
        """What the editor asks for when a smart tool was used."""
        body = {"task": task, "context": {"result": list(regions)} | context}
        return self.ask(f"/api/ml/{backend}/interactive-annotating", body)


@contextlib.contextmanager
def adapter_process(server, label_studio, *flags):
    """The address of `seem adapter label-studio` in a process of its own."""
    command = [sys.executable, "-m", "seem_server", "adapter", "label-studio", "--port", "0"]
    command += ["--server", server, "--label-studio-url", label_studio, *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("seem adapter label-studio listens at http"), line
        yield line.split()[-1]
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()
