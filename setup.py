"""Build the compiled implementations: every module with a ``.pyx`` or an augmenting ``.pxd`` beside it.

A machine without a C compiler, or where a module cannot be compiled, gets the plain modules, and so does
``JANUSKV_NO_COMPILE=1``; ``JANUSKV_COMPILE=require`` fails instead. The rest of the build is declared in pyproject.toml.
"""

import logging
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, PlatformError

PACKAGE = Path("src/januskv")
SUFFIXES = (".pyx", ".py")
# Other systems start each process from scratch, which would run this file again.
_PROCESSES = os.cpu_count() or 1 if sys.platform == "linux" else 1

# Products and sums are rounded one by one, as Python does, on processors too that could do both in one step.
# Debug information (Python's own flags ask for it) would double the time and make the extensions ten times as big;
# warnings about generated C help nobody and cost a tenth.
_FLAGS = ("-g0", "-w", "-fno-strict-aliasing", "-ffp-contract=off")
# What every request passes through. The third level of optimisation takes two to three times the time of the first one,
# which is enough for code that mostly calls into Python's own functions; .pyx files are loops over bytes and numbers.
_HOT = frozenset(
    f"januskv.{name}"
    for name in (
        "compat.server.accounting",
        "compat.server.channel",
        "compat.server.client_context",
        "compat.server.connection",
        "compat.server.context",
        "compat.server.dispatch",
        "compat.server.native_requests",
        "compat.native.face",
        "compat.server.outbox",
        "compat.server.tls_stream",
        "compat.redis.strings",
        "commands.context",
        "commands.keyvalues",
        "resp.replies",
        "storage.clock",
        "storage.durability.changes",
        "storage.durability.plain_operations",
        "storage.feed",
        "storage.keyspace",
        "storage.samples",
        "storage.strings",
        "storage.values",
    )
)
# Modules of which the ``.pxd`` has inline functions and nothing else.
_INLINE = frozenset(("januskv.digits",))
_DIRECTIVES = {
    "language_level": "3",
    "binding": True,
    "annotation_typing": False,
    "auto_pickle": False,  # no compiled type is pickled, and the code for it would be a twentieth of all
}


def sources() -> dict[str, str]:
    """Map module name -> source file: a ``.pyx`` where there is one, else the ``.py`` that a ``.pxd`` types.

    What has but inline functions in its ``.pxd`` is compiled into the modules that take them.
    """
    found: dict[str, str] = {}
    for here, _, names in os.walk(PACKAGE, followlinks=True):
        for name in sorted(names):
            path = Path(here) / name
            if path.suffix not in (".pyx", ".pxd"):
                continue
            module = ".".join(path.with_suffix("").relative_to("src").parts)
            if module in _INLINE:
                continue
            found.setdefault(module, next(str(p) for s in SUFFIXES if (p := path.with_suffix(s)).exists()))
    return found


def flags(module: str, source: str) -> list[str]:
    """The compiler's options for a module."""
    return ["-O3" if source.endswith(".pyx") or module in _HOT else "-O1", *_FLAGS]


def extensions() -> list[Extension]:
    """One extension for each module, translated to C only when it is built."""
    if os.environ.get("JANUSKV_NO_COMPILE"):
        return []
    try:
        import Cython.Build  # noqa: F401
    except ImportError:
        return []
    return [
        Extension(name, [source], extra_compile_args=flags(name, source), optional=True)
        for name, source in sorted(sources().items())
    ]


class BuildAllOrNothing(build_ext):
    """Compiles on all processors, and says how far it is (``pip install -v`` shows it).

    Compiled modules use each other's types without asking, so either all are compiled or none.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = _PROCESSES

    def build_extensions(self) -> None:
        """Translate all to C and compile it; after a failure take away what was compiled."""
        self.check_extensions_list(self.extensions)
        try:
            self.check_compiler()
            self.translate()
            self.compile()
        except (CCompilerError, PlatformError, OSError) as error:
            if os.environ.get("JANUSKV_COMPILE") == "require":
                raise
            for each in self.extensions:
                Path(self.get_ext_fullpath(each.name)).unlink(missing_ok=True)
            self.warn(f"installed as plain Python, which is slower, since compiling failed: {error}")

    def check_compiler(self) -> None:
        """Fail at once where nothing can be compiled."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("#include <Python.h>\n")
            self.compiler.compile([str(source)], output_dir=folder)

    def translate(self) -> None:
        """Make the C files; those that are newer than their sources stay."""
        from Cython.Build import cythonize

        self.announce("translating to C", logging.INFO)
        translated = cythonize(
            [Extension(each.name, each.sources) for each in self.extensions],
            compiler_directives=_DIRECTIVES,
            build_dir="build",
            quiet=True,
            nthreads=_PROCESSES,
        )
        by_name = {each.name: each for each in translated}
        for each in self.extensions:
            each.sources, each.depends = by_name[each.name].sources, by_name[each.name].depends

    def compile(self) -> None:
        """Compile on all processors, the longest first. Raises what the first failure raises."""
        longest_first = sorted(self.extensions, key=lambda each: -os.path.getsize(each.sources[0]))
        with ThreadPoolExecutor(self.parallel) as pool:
            jobs = {pool.submit(self.build_extension, each): each for each in longest_first}
            try:
                for done, job in enumerate(as_completed(jobs), 1):
                    job.result()
                    self.announce(f"[{done}/{len(jobs)}] {jobs[job].name}", logging.INFO)
            finally:
                pool.shutdown(cancel_futures=True)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildAllOrNothing})
