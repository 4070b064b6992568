"""The example in docs/security.md from beginning to end: its files, its server, and what its programs print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import free_port

from .test_ditto_docs import examples

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
SERVE = "januskv januskv.conf\n"


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """The server of the page; its ports are open when it says that it is ready."""
    argv = [sys.executable, "-m", "januskv", "januskv.conf"]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            while " ready: " not in (line := server.stdout.readline()):
                assert line, "the server ended before it was ready"
            yield
        finally:
            server.terminate()
            server.communicate(timeout=20)


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_example(tmp_path: Path) -> None:
    text = PAGE.read_text().replace("6379", str(free_port())).replace("8379", str(free_port()))
    found = blocks(text)
    at = found.index(("sh", SERVE))
    for language, block in found[:at]:
        if language == "ini":
            name = block.split("\n", 1)[0].removeprefix("# ")
            (tmp_path / name).write_text(block)
        else:
            assert language == "sh"
            made = run(["bash", "-euc", block], tmp_path)
            assert made.returncode == 0, made.stderr
    assert os.stat(tmp_path / "admin.password").st_mode & 0o077 == 0
    done = []
    with serving(tmp_path):
        rest = found[at + 1 :]
        for number, (language, block) in enumerate(rest):
            done.append(language)
            if language == "sh":
                assert run(["bash", "-euc", block], tmp_path).returncode == 0
            elif language == "console":
                for command, printed in examples(f"```console\n{block}```"):
                    ran = run(["bash", "-c", command], tmp_path)
                    assert (ran.stdout.strip(), ran.stderr) == (printed, ""), command
            elif language == "python":
                ran = run([sys.executable, "-c", block], tmp_path)
                assert (ran.stderr, ran.stdout) == ("", rest[number + 1][1])
    assert done == ["sh", "console", "python", "", "python", ""]
