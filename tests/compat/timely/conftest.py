"""Timely's own port without sockets."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.conftest import FakeTransport, House

import januskv.compat.timely
from januskv.compat.timely.connection import TimelyConnection

FOLDER = Path(next(iter(januskv.compat.timely.__path__)))


class TimelyWire:
    """A client of Timely's port: bytes in, bytes out."""

    def __init__(self, house: House, peer: tuple[str, int] = ("127.0.0.1", 50_000)) -> None:
        self.house = house
        self.transport = FakeTransport(peer)
        self.connection = TimelyConnection(house.server, house.ingest)
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> bytes:
        self.transport.written = b""
        self.connection.data_received(data)
        return self.transport.written


@pytest.fixture
def timely(house: House) -> TimelyWire:
    return TimelyWire(house)


@pytest.fixture
def connect_timely() -> Callable[..., TimelyWire]:
    return TimelyWire


@pytest.fixture
def samples() -> Callable[[House], dict[bytes, list[tuple[int, float]]]]:
    """The contents of the series in a server's database 0, by key."""

    def read(house: House) -> dict[bytes, list[tuple[int, float]]]:
        found = {}
        for key, series in house.store.databases[0].data.items():
            times, values = series.between(0, 2**63 - 1)  # type: ignore[attr-defined]
            found[key] = list(zip(times.tolist(), values.tolist(), strict=True))
        return found

    return read


def _lines(build: str) -> ModuleType:
    """One build of the module that parses lines."""
    used = importlib.import_module("januskv.compat.timely.lines")
    if str(used.__file__).endswith(".py") == (build == "plain"):
        return used
    suffixes = [".py"] if build == "plain" else EXTENSION_SUFFIXES
    path = next((path for suffix in suffixes if (path := FOLDER / f"lines{suffix}").exists()), None)
    if path is None:
        pytest.skip("not compiled")
    name = "januskv.compat.timely.plain_lines" if build == "plain" else "januskv.compat.timely.lines"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def lines_classes() -> list[Any]:
    """The class that parses lines, of both builds."""
    return [_lines(build).Lines for build in ("plain", "compiled")]
