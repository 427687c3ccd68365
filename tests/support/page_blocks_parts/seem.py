"""`seem` for a page's reader: what serves goes on in the background, once it is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVING = {"serve", "web", "adapter"}
PAUSE_S = 0.02


def main(arguments):
    command = [sys.executable, "-m", "seem_server", *arguments]
    if not SERVING & set(arguments[:1]) or "--help" in arguments:
        os.execv(sys.executable, command)
    kept = Path(os.environ["SEEM_SERVICES"], name_of(arguments))
    if kept.exists():  # a reader would have pressed Ctrl-C
        end(int(kept.read_text("ascii")))
    said = Path(f"{os.environ['SEEM_SERVICES']}.{kept.name}")
    with said.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    kept.write_text(str(server.pid), "ascii")
    while not is_ready(said):
        if server.poll() is not None:
            print(said.read_text("utf-8"), file=sys.stderr)
            kept.unlink()
            return server.returncode
        time.sleep(PAUSE_S)
    return 0


def name_of(arguments):
    """What a service is called: servers on different ports are several."""
    if arguments[0] != "serve":
        return "-".join(arguments[: 1 + (arguments[0] == "adapter")])
    port = arguments.index("--port") + 1 if "--port" in arguments else 0
    return f"serve-{arguments[port] if port else os.environ['SEEM_PORT']}"


def is_ready(said):
    """Whether it told where it listens."""
    lines = said.read_text("utf-8").splitlines()
    return any(line.startswith(("seem ", "open ")) for line in lines)


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        while " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii"):
            time.sleep(PAUSE_S)
    except (ProcessLookupError, FileNotFoundError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
