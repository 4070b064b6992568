"""The parser and the encoder exist twice; every test of them runs on both builds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import januskv.resp

FOLDER = Path(next(iter(januskv.resp.__path__)))
BUILDS = ("plain", "compiled")


def load(name: str, build: str) -> ModuleType:
    """One build of a module of this layer, whichever of them the package itself uses."""
    used = importlib.import_module(f"januskv.resp.{name}")
    is_compiled = not str(used.__file__).endswith(".py")
    if is_compiled == (build == "compiled"):
        return used
    # The last part of an extension's name must stay; a plain module gets one of its own.
    alias = f"januskv.resp.{name}" if build == "compiled" else f"januskv.resp.plain_{name}"
    if build == "plain" and alias in sys.modules:
        return sys.modules[alias]
    suffixes = EXTENSION_SUFFIXES if build == "compiled" else [".py"]
    path = next((path for suffix in suffixes if (path := FOLDER / f"{name}{suffix}").exists()), None)
    if path is None:
        pytest.skip(f"januskv.resp.{name} is not compiled")
    spec = spec_from_file_location(alias, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    if build == "plain":
        sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module


_loaded: dict[tuple[str, str], ModuleType] = {}


def implementation(name: str, build: str) -> ModuleType:
    if (name, build) not in _loaded:
        _loaded[name, build] = load(name, build)
    return _loaded[name, build]


@pytest.fixture(scope="session", params=BUILDS)
def parser_class(request: pytest.FixtureRequest) -> Any:
    return implementation("parser", request.param).Parser


@pytest.fixture(scope="session")
def parser_classes() -> list[Any]:
    """Both builds, for tests that compare them."""
    return [implementation("parser", build).Parser for build in BUILDS]


@pytest.fixture(scope="session", params=BUILDS)
def encoder(request: pytest.FixtureRequest) -> ModuleType:
    return implementation("encoder", request.param)


@pytest.fixture(scope="session")
def encoders() -> list[ModuleType]:
    """Both builds, for tests that compare them."""
    return [implementation("encoder", build) for build in BUILDS]


@pytest.fixture
def resident_bytes() -> Callable[[], int]:
    """This process's resident memory."""

    def read() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("VmRSS is not told")

    if not Path("/proc/self/status").exists():
        pytest.skip("resident memory is read from /proc")
    return read
