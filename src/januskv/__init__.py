"""JanusKV: one data server, two faces (RESP and native JSON) over one engine.

Some modules have a compiled implementation: an extension of the same name next to the ``.py`` file. Python
prefers the extension; with ``JANUSKV_PURE=1`` in the environment the pure-Python modules are used.
"""

import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from ._version import VERSION


class _PlainModules:
    """Finds ``januskv.*`` as source files only, skipping compiled implementations."""

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

REBUILD = "python setup.py build_ext --inplace"


def stale_extensions(package: str) -> Iterator[str]:
    """Compiled modules that are older than their sources, so that changes have no effect."""
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    for here, folders, files in os.walk(package, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        names = set(files)
        for name in files:
            if name.endswith(suffix):
                stem = os.path.join(here, name.removesuffix(suffix))
                sources = [".pyx" if f"{name.removesuffix(suffix)}.pyx" in names else ".py"]
                if f"{name.removesuffix(suffix)}.pxd" in names:
                    sources.append(".pxd")
                built = os.stat(stem + suffix).st_mtime
                if any(os.stat(stem + source).st_mtime > built for source in sources):
                    yield stem + suffix


def _warn_of_stale_extensions() -> None:
    """Warn in a checkout whose extensions are older than its sources."""
    package = os.path.dirname(os.path.abspath(__file__))
    if os.path.exists(os.path.join(package, "..", "..", "setup.py")):
        stale = sorted(stale_extensions(package))
        if stale:
            others = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
            print(f"januskv: {stale[0]}{others}: older than its source; run {REBUILD}", file=sys.stderr)


if not _CHOSEN_PLAIN:
    _warn_of_stale_extensions()


def plain_reason() -> str:
    """Why the pure-Python modules are used, if they are, and how to change that."""
    if _CHOSEN_PLAIN:
        return "JANUSKV_PURE is set"
    return "no modules were compiled; install a C compiler and Python's headers (gcc, python3-dev), then JanusKV again"
