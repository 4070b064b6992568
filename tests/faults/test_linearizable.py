"""Single keys under many clients, kills and restarts: the recorded history is one of a register."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.faults import test_durability as durability
from tests.faults.linearizable import Operation, is_linearizable

KILLS = int(os.environ.get("JANUSKV_KILLS", "3"))


def history(text: str) -> list[Any]:
    """Operations as "set 1 0 5": verb, value, start, end; swap has "swap new old"; an end of "-" is unknown."""
    found = []
    for line in text.split("|"):
        verb, *rest = line.split()
        values = [None if each == "nil" else each.encode() for each in rest[:-2]]
        end = None if rest[-1] == "-" else float(rest[-1])
        written = None if verb == "get" else values[0]
        found.append(Operation(verb, float(rest[-2]), end, written, None if verb == "set" else values[-1]))
    return found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("set 1 0 1|get 1 2 3", True, id="a read of what was written"),
        pytest.param("set 1 0 1|get nil 2 3", False, id="a lost write"),
        pytest.param("set 1 0 1|set 2 2 3|get 1 4 5", False, id="an old value"),
        pytest.param("set 1 0 5|get 1 1 2|get nil 3 4", False, id="a value that comes and goes"),
        pytest.param("set 1 0 5|get nil 1 2|get 1 3 4", True, id="a read before and one after the effect"),
        pytest.param("set 1 0 5|set 2 0 5|get 2 6 7|get 2 8 9", True, id="two writes at one time"),
        pytest.param("set 1 0 5|set 2 0 5|get 2 6 7|get 1 8 9", False, id="two writes at one time, both read after"),
        pytest.param("set 1 0 -|get nil 1 2|get 1 8 9", True, id="a write without reply takes effect later"),
        pytest.param("set 1 0 -|get nil 8 9", True, id="a write without reply never takes effect"),
        pytest.param("set 1 0 -|get 1 1 2|get nil 8 9", False, id="a write without reply is read, then gone"),
        pytest.param("swap 1 nil 0 1|swap 2 1 2 3|get 2 4 5", True, id="exchanges in order"),
        pytest.param("swap 1 nil 0 1|swap 2 nil 2 3", False, id="two exchanges found the same value"),
        pytest.param("swap 1 nil 0 -|swap 2 1 2 3", True, id="an exchange without reply, seen by the next"),
    ],
)
def test_the_check_itself(text: str, answer: bool) -> None:
    assert is_linearizable(history(text)) is answer


class Client(threading.Thread):
    """Does random operations on a few keys until the server is gone, and records them."""

    def __init__(self, number: int, port: int, keys: list[bytes], record: dict[bytes, list[Any]]) -> None:
        super().__init__()
        self.peer = durability.Peer(port)
        self.chance = random.Random(number)
        self.number = number
        self.keys = keys
        self.record = record
        self.count = 0

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                key = self.chance.choice(self.keys)
                verb = self.chance.choice(("get", "get", "set", "swap"))
                self.count += 1
                written = None if verb == "get" else b"%d.%d" % (self.number, self.count)
                operation = Operation(verb, time.monotonic(), None, written)
                self.record[key].append(operation)
                words = {"get": ("GET", key), "set": ("SET", key, written), "swap": ("GETSET", key, written)}[verb]
                reply = self.peer(*words)
                assert verb == "set" or reply is None or type(reply) is bytes
                operation.found = reply if verb != "set" else None
                operation.end = time.monotonic()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_keys_are_registers_over_kills_and_restarts(tmp_path: Path, policy: str) -> None:
    chance = random.Random(5)
    checked = 0
    folder = tmp_path / "data"
    for life in range(max(1, KILLS // 3)):
        keys = [b"life %d, key %d" % (life, number) for number in range(8)]
        record: dict[bytes, list[Any]] = {key: [] for key in keys}
        for restart in range(3):
            server = durability.Server(folder, "--appendfsync", policy, "--auto-aof-rewrite-min-size", "20000")
            clients = [Client(1000 * life + 100 * restart + n, server.port, keys, record) for n in range(16)]
            for each in clients:
                each.start()
            threading.Event().wait(chance.uniform(0.05, 0.4))
            server.end()
            for each in clients:
                each.join()
                each.peer.sock.close()
        with durability.running(folder) as (_, peer):
            for key in keys:
                start = time.monotonic()
                held = peer("GET", key)
                record[key].append(Operation("get", start, time.monotonic(), None, held))
        for key in keys:
            assert is_linearizable(record[key]), key
            checked += sum(each.end is not None for each in record[key])
    assert checked > 200
