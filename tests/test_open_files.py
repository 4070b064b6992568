"""The limit of open files: raised as far as 'maxclients' needs, or 'maxclients' is lowered to what it leaves room for."""

from __future__ import annotations

import contextlib
import logging
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.config import Config
from januskv.open_files import OWN_FILES, TooFewFiles, fit_clients, most_clients
from januskv.resp.replies import OK, ErrorReply

from .test_process import exchange


@pytest.fixture
def limits(monkeypatch: Any) -> Callable[..., list[int]]:
    """Pretends a soft and a hard limit, and a system that takes less than it says."""

    def pretend(soft: int, hard: int, taken: int | None = None) -> list[int]:
        limits = [soft, hard]

        def change(kind: int, new: tuple[int, int]) -> None:
            if taken is not None and new[0] > taken:
                raise ValueError("not allowed")
            limits[:] = new

        monkeypatch.setattr(resource, "getrlimit", lambda kind: tuple(limits))
        monkeypatch.setattr(resource, "setrlimit", change)
        return limits

    return pretend


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "most", "soft_then"),
    [
        pytest.param(1024, 20_000, 10_000, 10_000, 10_000 + OWN_FILES, id="raised as far as is needed"),
        pytest.param(20_000, 20_000, 10_000, 10_000, 20_000, id="there is room"),
        pytest.param(128, 4096, 10_000, 4096 - OWN_FILES, 4096, id="raised as far as may be"),
        pytest.param(128, 128, 10_000, 128 - OWN_FILES, 128, id="nothing to raise"),
        pytest.param(256, resource.RLIM_INFINITY, 1000, 1000, 1000 + OWN_FILES, id="no hard limit"),
        pytest.param(resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, 1000, resource.RLIM_INFINITY, id="no limit"),
    ],
)
def test_room_for_clients(limits: Any, soft: int, hard: int, wanted: int, most: int, soft_then: int) -> None:
    pretended = limits(soft, hard)
    assert most_clients(wanted) == most
    assert pretended == [soft_then, hard]


def test_a_system_that_takes_less_than_it_says(limits: Any) -> None:
    pretended = limits(256, resource.RLIM_INFINITY, 5000)
    assert 256 < most_clients(10_000) + OWN_FILES <= 5000
    assert pretended[0] <= 5000


def test_both_are_logged(limits: Any, caplog: Any) -> None:
    limits(100, 200)
    config = Config()
    caplog.set_level(logging.INFO, "januskv")
    fit_clients(config, logging.INFO)
    assert config.maxclients == 200 - OWN_FILES
    raised, lowered = [record.getMessage() for record in caplog.records]
    assert raised == "limit of open files raised from 100 to 200"
    assert lowered.startswith("maxclients lowered from 10000 to 136:")


def test_no_room_at_all(limits: Any) -> None:
    limits(OWN_FILES, OWN_FILES)
    with pytest.raises(TooFewFiles, match="ulimit"):
        fit_clients(Config(), logging.INFO)


def test_config_set_beyond_what_there_is_room_for(house: Any) -> None:
    house.server.process.most_clients = lambda wanted: min(wanted, 50)
    wire = house.connect()
    assert wire("CONFIG", "SET", "maxclients", "50") == OK
    reply = wire("CONFIG", "SET", "maxclients", "51")
    assert isinstance(reply, ErrorReply)
    assert "not able to handle the specified number of clients, try with 50" in str(reply.text)
    assert house.server.config.maxclients == 50


def test_too_many_clients_leave_files_for_the_rewrite(start_januskv: Any, tmp_path: Path) -> None:
    server = start_januskv("--dir", str(tmp_path / "data"), open_files=OWN_FILES + 10)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(server.connect())
        assert exchange(first, b"SET a 1\r\nCONFIG GET maxclients\r\n", b"$2\r\n10\r\n").startswith(b"+OK\r\n")
        others = [stack.enter_context(server.connect()) for _ in range(100)]
        for other in others[10:]:
            assert exchange(other, b"", b"\n") == b"-ERR max number of clients reached\r\n"
        assert b"started" in exchange(first, b"BGREWRITEAOF\r\n")


def test_a_limit_that_is_too_small_is_told(tmp_path: Path) -> None:
    command = f'ulimit -n {OWN_FILES} && exec "$0" -m januskv --port -1 --http-port 0 --save no'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "open files are not enough" in done.stdout
