"""The example that plots an hour of a machine's figures, with a real server."""

from __future__ import annotations

import importlib.util
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "plot_hour.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example as a module, which does not sleep."""
    if not Path("/proc/meminfo").exists():
        pytest.skip("reads /proc")
    spec = importlib.util.spec_from_file_location("plot_hour", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return module


def run(example: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["plot_hour.py", *options])
    example.main()


def test_figures_come_back(example: Any, start_januskv: Callable[..., Any]) -> None:
    port = start_januskv().http_port
    example.collect(port, 3)
    for metric in example.FIGURES:
        (series,) = example.last_hour(port, metric)
        assert series["tags"] == {"host": socket.gethostname()}
        assert series["dps"]
    assert example.last_hour(port, "nosuch") == []


def test_the_picture(
    example: Any, start_januskv: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    pytest.importorskip("matplotlib")
    port, path = start_januskv().http_port, tmp_path / "hour.png"
    run(example, monkeypatch, "--port", str(port), "--collect", "3", "--to", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert re.search(r"machine\.load of 1 hosts", capsys.readouterr().out)


def test_what_is_missing_is_said(
    example: Any, start_januskv: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(start_januskv().http_port)
    with pytest.raises(SystemExit, match="--collect"):
        run(example, monkeypatch, "--port", port)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match="pip install matplotlib"):
        run(example, monkeypatch, "--port", port, "--collect", "1")
    with pytest.raises(SystemExit, match="no server on port 1:"):
        run(example, monkeypatch, "--port", "1")
