"""The examples in docs/ditto.md, done one after the other with curl and redis-cli on one server."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Process

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs" / "ditto.md"


def examples(text: str) -> Iterator[tuple[str, str]]:
    """Commands and what they print."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = example.splitlines()
            count = next(count for count in range(1, len(lines) + 1) if is_whole("\n".join(lines[:count])))
            yield "\n".join(lines[:count]), "\n".join(lines[count:])


def is_whole(command: str) -> bool:
    if command.endswith("\\"):
        return False
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


def test_the_examples(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv()
    done = 0
    for command, printed in examples(PAGE.read_text()):
        there = command.replace("127.0.0.1:8379", f"127.0.0.1:{server.http_port}").replace(
            "-p 6379", f"-p {server.port}"
        )
        ran = subprocess.run(
            ["sh", "-c", there.replace("curl ", "curl -sS ")], capture_output=True, text=True, timeout=30
        )
        assert (ran.stdout.strip(), ran.stderr) == (printed, ""), command
        done += 1
    assert done >= 8
