"""Another's program for a page's reader: it goes on in the background, once it is ready."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from seem import end

READY = {"envoy": "starting workers", "redis-server": "eady to accept connections"}
ALONE = {"envoy": ["--disable-hot-restart"], "redis-server": []}
"""What keeps a program apart from others of its kind that run on the machine."""

LACKING = 69
"""The exit code where there is no such program: of `sysexits.h`, unavailable."""

PAUSE_S = 0.02


def main(name, arguments):
    services = Path(os.environ["SEEM_SERVICES"])
    beside = services.parent / ".venv/bin"  # where what runs this is called as the program
    places = [one for one in os.environ["PATH"].split(os.pathsep) if Path(one) != beside]
    program = shutil.which(name, path=os.pathsep.join([*places, str(Path(sys.executable).parent)]))
    if program is None:
        print(f"there is no {name}", file=sys.stderr)
        return LACKING
    said, kept = Path(f"{services}.{name}"), services / name
    if kept.exists():  # a reader would have pressed Ctrl-C
        end(int(kept.read_text("ascii")))
    with said.open("w") as out:
        running = subprocess.Popen(
            [program, *arguments, *ALONE[name]], stdout=out, stderr=out, start_new_session=True
        )
    kept.write_text(str(running.pid), "ascii")
    while READY[name] not in said.read_text("utf-8"):
        if running.poll() is not None:
            print(said.read_text("utf-8"), file=sys.stderr)
            return running.returncode or 1
        time.sleep(PAUSE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
