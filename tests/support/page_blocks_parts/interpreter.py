"""Runs blocks of Python, each with the names of those before: a line of JSON in, one out."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import sys
import traceback

names = {"__name__": "__main__"}
answers, sys.stdout = sys.stdout, sys.stderr

for line in sys.stdin:
    code, where = json.loads(line)
    error = ""
    try:
        ready = compile(code, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        ran = eval(ready, names)  # noqa: S307 - the pages are ours
        if inspect.iscoroutine(ran):
            asyncio.run(ran)
    except Exception:  # noqa: BLE001 - told to the test
        error = traceback.format_exc()
    print(json.dumps(error), file=answers, flush=True)
