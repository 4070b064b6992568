"""Modules loaded on first use: numpy takes a tenth of a second and 20 MB, and most servers never need it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def lazily(name: str) -> ModuleType:
    """A module that loads itself when one of its attributes is first read.

    From then on it is an ordinary module, and costs no more than after ``import``. Two threads must not make the first
    use at the same time: only the thread that owns the data uses numpy.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module
