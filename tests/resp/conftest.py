"""Both builds of the codec, whatever the interpreter has chosen to import."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import januskv.resp

FOLDER = Path(januskv.resp.__file__).parent
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


def load(name: str, build: str) -> ModuleType | None:
    """A module of the codec in its plain or its compiled build; None if there is no compiled one."""
    full_name = f"januskv.resp.{name}"
    if build == "plain":
        loader: Any = importlib.machinery.SourceFileLoader(full_name, str(FOLDER / f"{name}.py"))
    else:
        path = FOLDER / f"{name}{SUFFIX}"
        if not path.exists():
            return None
        loader = importlib.machinery.ExtensionFileLoader(full_name, str(path))
    spec = importlib.util.spec_from_loader(full_name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture in ("parser_module", "encoder_module"):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, ["plain", "compiled"], indirect=True)


def _module(name: str, build: str) -> ModuleType:
    module = load(name, build)
    if module is None:
        pytest.skip("this machine has no compiled build")
    return module


@pytest.fixture
def parser_module(request: pytest.FixtureRequest) -> ModuleType:
    return _module("parser", request.param)


@pytest.fixture
def encoder_module(request: pytest.FixtureRequest) -> ModuleType:
    return _module("encoder", request.param)


@pytest.fixture(scope="session")
def both_parsers() -> tuple[Any, Any]:
    compiled = load("parser", "compiled")
    if compiled is None:
        pytest.skip("this machine has no compiled build")
    plain = load("parser", "plain")
    assert plain is not None
    return plain.Parser, compiled.Parser


@pytest.fixture(scope="session")
def both_encoders() -> tuple[Any, Any]:
    compiled = load("encoder", "compiled")
    if compiled is None:
        pytest.skip("this machine has no compiled build")
    plain = load("encoder", "plain")
    assert plain is not None
    return plain.encode, compiled.encode
