"""A server with the fictional command: ``python -m tests.exercise.server`` takes the options of ``januskv``."""

from __future__ import annotations

from januskv.__main__ import main
from januskv.compat import commands

from . import rotation

commands.FAMILIES += (rotation.verbs, rotation.commands)  # type: ignore[misc]

if __name__ == "__main__":
    main()
