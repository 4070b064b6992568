"""The ``januskv`` command, and ``python -m januskv``."""

import sys

from .process_title import hide_secrets


def main() -> int:
    """Hide passwords first, since loading the rest takes a while; then run the command."""
    hide_secrets()
    from .cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
