"""A Dockerfile as its stages and their steps, and what these make, where no images are built."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """An instruction, as RUN, and what follows it."""

    name: str
    text: str

    @property
    def words(self):
        """What follows, as a list, in either form that Dockerfiles have for it."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


def stages_of(text):
    """The steps of each stage, in order, each beginning with its FROM."""
    lines = re.sub(r" *\\\n *", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    steps = [Step(*line.split(maxsplit=1)) for line in lines if line.strip()]
    starts = [n for n, step in enumerate(steps) if step.name == "FROM"]
    return [steps[a:b] for a, b in zip(starts, [*starts[1:], len(steps)], strict=True)]


@dataclass
class Made:
    """What a container would be started with."""

    environment: dict = field(default_factory=dict)
    command: list = field(default_factory=list)
    health: list = field(default_factory=list)


def follow(stages, context, root):
    """Takes the steps of all stages below one folder, in place of a root of their own for each.

    The base is a fresh environment; users and groups are not made.
    """
    subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True)
    made = Made(os.environ | {"PATH": f"{root}/base/bin:/usr/bin:/bin", "VIRTUAL_ENV": ""})
    made.environment.pop("PYTHONPATH", None)
    for stage in stages:
        here = root
        for step in stage:
            match step.name:
                case "WORKDIR":
                    here = root / step.text.lstrip("/")
                case "COPY" if not step.text.startswith("--from"):
                    *sources, target = step.words
                    for source in sources:
                        _copy(context / source, _below(here, root, target), into=target[-1] == "/")
                case "RUN" if "groupadd" not in step.text:
                    here.mkdir(parents=True, exist_ok=True)
                    command = _rooted(step.text, root)
                    subprocess.run(command, shell=True, check=True, cwd=here, env=made.environment)  # noqa: S602
                case "ENV":
                    pairs = dict(pair.split("=", 1) for pair in step.words)
                    path = _rooted(pairs.pop("PATH", "$PATH"), root)
                    made.environment |= pairs
                    made.environment["PATH"] = path.replace("$PATH", made.environment["PATH"])
                case "HEALTHCHECK":
                    made.health = json.loads(step.text.partition(" CMD ")[2])
                case "ENTRYPOINT" | "CMD":
                    made.command += step.words
    return made


def _below(here, root, target):
    return root / target[1:] if target.startswith("/") else here / target


def _rooted(text, root):
    """The same with absolute paths below `root`."""
    return re.sub(r"(?<![\w.:/])/(?=(opt|dist|tmp|src|var)\b)", f"{root}/", text)


def _copy(source, target, *, into):
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        return
    place = target / source.name if into or target.is_dir() else target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, place)
