"""JanusKV: one data server, two faces (RESP and native JSON) over one engine.

Some modules have a compiled twin: an extension of the same name beside the ``.py`` file. Python
prefers the extension; with ``JANUSKV_PURE=1`` in the environment the plain modules are used.
"""

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from ._version import VERSION


class _PlainModules:
    """Finds ``januskv.*`` as source files only, passing over compiled twins."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is None or not fullname.startswith("januskv."):
            return None
        for folder in path:
            source = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
            spec = importlib.machinery.FileFinder(folder, source).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        return None


_CHOSEN_PLAIN = os.environ.get("JANUSKV_PURE", "") not in ("", "0")
if _CHOSEN_PLAIN:
    sys.meta_path.insert(0, _PlainModules())

__version__ = VERSION


def plain_reason() -> str:
    """Why the plain modules run, where they do, and what would change it."""
    if _CHOSEN_PLAIN:
        return "JANUSKV_PURE is set"
    return "no modules were compiled; install a C compiler and Python's headers (gcc, python3-dev), then JanusKV again"
