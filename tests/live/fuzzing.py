"""What the differential programs share: seeds, budgets, connections, and how a program that fails is shortened.

JANUSKV_FUZZ_SEED     the first program's seed (1); a failure names the seed of its own program
JANUSKV_FUZZ_SECONDS  how long each test continues with further programs (0: only the few of every run)
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeVar

from januskv.resp.decoder import ReplyReader

SEED = int(os.environ.get("JANUSKV_FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("JANUSKV_FUZZ_SECONDS", "0"))

Step = TypeVar("Step")


def seeds(least: int) -> Iterator[int]:
    """Seeds of programs: ``least``, and more until time runs out."""
    until = time.monotonic() + SECONDS
    for number in count():
        if number >= least and time.monotonic() >= until:
            return
        yield SEED + number


def chance_of(name: str, seed: int) -> random.Random:
    """The random numbers of one program; tests with other names get different ones from the same seed."""
    return random.Random(f"{name} {seed}")


def shortened(program: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """A program reduced to the steps that it needs to fail."""
    size = len(program)
    while size:
        at = 0
        while at < len(program):
            shorter = program[:at] + program[at + size :]
            if shorter and fails(shorter):
                program = shorter
            else:
                at += size
        size //= 2
    return program


class Talker:
    """A connection that sends a command and reads its reply."""

    def __init__(self, port: int, encode: Callable[..., bytes]) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader, self.encode = ReplyReader(), encode

    def __call__(self, *words: str | bytes) -> Any:
        self.sock.sendall(self.encode(*words))
        while (reply := self.reader.gets()) is None:
            data = self.sock.recv(65536)
            assert data, f"closed by {words}"
            self.reader.feed(data)
        return reply[1]

    def close(self) -> None:
        self.sock.close()
