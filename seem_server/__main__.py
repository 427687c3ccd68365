"""`python -m seem_server`: the same as `seem`."""

import sys

from seem_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
