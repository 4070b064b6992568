"""Runs the scripts of jobs/ against a server without data. tests/live/install-clients installs what they use."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from ..test_clients import CLIENTS, need

JOBS = Path(__file__).parent / "jobs"
PYTHON = CLIENTS / "frameworks" / "bin" / "python"
NODE_MODULES = CLIENTS / "node" / "node_modules"


@pytest.fixture
def server(janus: Any) -> Any:
    """The server of the live tests, without data and functions."""
    with redis.Redis(port=janus.port) as client:
        assert client.info("server")["process_id"] == janus.pid
        client.flushall()
        client.function_flush()
    return janus


@pytest.fixture
def job(server: Any) -> Callable[..., Any]:
    """Runs a script of jobs/ to its end; what it printed, as JSON. Skips the test where its packages are not installed."""

    def run_job(script: str, *packages: str) -> Any:
        found = subprocess.run(
            [*_interpreter(script, packages), str(JOBS / script), str(server.port)],
            capture_output=True, text=True, timeout=60, env=_environment(),
        )  # fmt: skip
        assert found.returncode == 0, found.stdout + found.stderr
        return json.loads(found.stdout)

    return run_job


def _interpreter(script: str, packages: tuple[str, ...]) -> list[str]:
    if script.endswith(".py"):
        missing = not (CLIENTS / "frameworks" / "installed").exists()
        interpreter = [str(PYTHON)]
    elif script.endswith(".js"):
        interpreter = [need("node")]
        missing = not all((NODE_MODULES / package).exists() for package in packages)
    else:
        interpreter = [need("ruby")]
        for package in packages:
            need(package)
        missing = False
    if missing:
        pytest.skip("run tests/live/install-clients first")
    return interpreter


def _environment() -> dict[str, str]:
    # The frameworks' own packages, not those that PYTHONPATH shows the tests.
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "NODE_PATH": str(NODE_MODULES)
    }
