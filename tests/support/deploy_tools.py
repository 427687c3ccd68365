"""The tools that look at deploy/: without them tests are skipped, and say so; CI has them."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def needs(*packages):
    """Marks what cannot be tested without these packages of the extra `deploy`."""
    missing = [name for name in packages if not _is_there(name)]
    if missing and os.environ.get("CI"):
        raise AssertionError(f"CI lacks {', '.join(missing)}: make deploy-tools")
    return pytest.mark.skipif(
        bool(missing), reason=f"no {', '.join(missing)}: make deploy-tools installs them"
    )


def _is_there(package):
    try:
        return bool(distribution(package))
    except PackageNotFoundError:
        return False
