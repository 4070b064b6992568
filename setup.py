"""Build the compiled twins: every module with a ``.pyx`` or an augmenting ``.pxd`` beside it.

A machine without a C compiler gets the plain modules (each extension is optional), and so does
``JANUSKV_NO_COMPILE=1``. The rest of the build is declared in pyproject.toml.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = Path("src/januskv")
SUFFIXES = (".pyx", ".py")
# Other systems start processes anew, which would run this file again.
_PROCESSES = os.cpu_count() or 1 if sys.platform == "linux" else 1


def sources() -> dict[str, str]:
    """Map module name -> source file: a ``.pyx`` twin where there is one, else the ``.py`` that a ``.pxd`` types."""
    found: dict[str, str] = {}
    for here, _, names in os.walk(PACKAGE, followlinks=True):
        for name in sorted(names):
            path = Path(here) / name
            if path.suffix not in (".pyx", ".pxd"):
                continue
            module = ".".join(path.with_suffix("").relative_to("src").parts)
            found.setdefault(module, next(str(p) for s in SUFFIXES if (p := path.with_suffix(s)).exists()))
    return found


def extensions() -> list[Extension]:
    if os.environ.get("JANUSKV_NO_COMPILE"):
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    modules = [
        Extension(name, [source], extra_compile_args=["-O3", "-fno-strict-aliasing"])
        for name, source in sorted(sources().items())
    ]
    compiled: list[Extension] = cythonize(
        modules,
        compiler_directives={"language_level": "3", "binding": True, "annotation_typing": False},
        build_dir="build",
        quiet=True,
        nthreads=_PROCESSES,
    )
    for module in compiled:
        module.optional = True  # cythonize() makes its extensions anew and leaves this out
    return compiled


class BuildInParallel(build_ext):
    """Compile on all processors."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = _PROCESSES


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildInParallel})
