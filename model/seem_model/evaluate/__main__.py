"""`python -m seem_model.evaluate PROTOCOL …`: published models against what was published."""

from __future__ import annotations

import sys


def main() -> int:
    """Hands the command line to the protocol's; gives the exit code."""
    if sys.argv[1:2] == ["parity"]:
        from seem_model.evaluate.parity import main as parity  # noqa: PLC0415 - one or the other

        return parity(sys.argv[2:])
    if sys.argv[1:2] == ["rows"]:
        from seem_model.evaluate.rows import main as rows  # noqa: PLC0415 - one or the other

        return rows(sys.argv[2:])
    from seem_model.evaluate.command import main as protocols  # noqa: PLC0415 - as above

    return protocols(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
