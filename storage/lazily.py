"""Modules that are loaded when they are first used: numpy takes a tenth of a second and 20 MB, and most servers never need it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def lazily(name: str) -> ModuleType:
    """The module of a name, which loads itself when one of its attributes is first read.

    From then on it is an ordinary module, so a use costs what it costs after ``import``. Two threads must not be the
    first at the same time: numpy is used by the one that owns the data.
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
