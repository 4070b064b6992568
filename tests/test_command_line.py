"""The command line and the parameters of redis.conf: what is taken, and how it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.cli import help_text, main, read_config
from januskv.compat.commands import build_table
from januskv.compat.server.config import Config
from januskv.compat.server.parameters import BY_NAME, DIRECTIVES, GROUPS, PARAMETERS, ConfigError
from januskv.compat.server.server import Server
from januskv.resp.replies import OK
from januskv.storage.store import Store

DEBIAN = Path(__file__).parent / "debian-redis.conf"

# CONFIG GET * of redis-server 7.4, as far as its parameters have no effect here or a single value.
REDIS_NAMES = (Path(__file__).parent / "redis-parameters.txt").read_text().split()


def test_debians_redis_conf() -> None:
    config = Config()
    config.apply_file(str(DEBIAN))
    assert (config.port, config.daemonize, config.logfile) == (6379, True, "/var/log/redis/redis-server.log")
    assert {"rdbcompression", "dbfilename", "lazyfree-lazy-expire"} < set(config.idle)
    assert "dir" not in config.idle


@pytest.mark.parametrize("name", REDIS_NAMES)
def test_redis_knows_the_name(name: str, wire: Any) -> None:
    parameter = BY_NAME[name]
    default = parameter.kind.show(parameter.default)
    assert wire("CONFIG", "GET", name) == [name.encode(), default.encode()]
    Config().set_text(name, default)


def test_what_has_no_effect_can_be_set_and_read(wire: Any) -> None:
    assert wire("CONFIG", "SET", "slave-priority", "7", "lazyfree-lazy-expire", "yes") == OK
    assert wire("CONFIG", "GET", "replica-priority") == [b"replica-priority", b"7"]
    assert "must be 'yes' or 'no'" in str(wire("CONFIG", "SET", "lazyfree-lazy-expire", "maybe").text)
    assert "only 'no' works" in str(wire("CONFIG", "SET", "activedefrag", "yes").text)
    assert "immutable" in str(wire("CONFIG", "SET", "logfile", "x").text)


def test_all_that_is_wrong_is_told_together(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text(
        "nosuch 1\nhz fast\nmaxmemroy 1\nrename-command a b\nuser alice on\nlua-replicate-commands yes\nport 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        Config().apply_file(str(path))
    assert str(caught.value).splitlines() == [
        f"{path}:1: nosuch: unknown parameter 'nosuch'",
        f"{path}:2: hz: argument couldn't be parsed into an integer",
        f"{path}:3: maxmemroy: unknown parameter 'maxmemroy', did you mean 'maxmemory'?",
        f"{path}:4: rename-command: commands cannot be renamed yet",
    ]


@pytest.mark.parametrize("name", DIRECTIVES)
def test_directives_are_no_parameters(name: str) -> None:
    assert name not in BY_NAME


# ---------------------------------------------------------------- options


def test_the_form_of_redis(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("port 1\nhz 20\nsave 7 7\n")
    words = [str(path), "--port", "6380", "--bind", "127.0.0.1", "-::1", "--save", "60", "1", "--save", "300", "10"]
    config = read_config([*words, "--loglevel=verbose", "--list-max-listpack-size", "-2"])
    assert (config.port, config.hz, config.bind) == (6380, 20, "127.0.0.1 -::1")
    assert config.save == ((60, 1), (300, 10))
    assert config.loglevel == "verbose"
    assert config.path == str(path)


def test_short_options_and_an_empty_save() -> None:
    config = read_config(["-p", "6390", "--save", ""])
    assert (config.port, config.save, config.keeps_data) == (6390, (), False)
    assert not read_config(["--save"]).keeps_data


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        pytest.param(["--prot", "1"], ["there is no option --prot, did you mean --port?"], id="a typo"),
        pytest.param(
            ["--zzz", "--hz"], ["there is no option --zzz", "--hz: a value is missing"], id="all that is wrong"
        ),
        pytest.param(["--hz", "x"], ["--hz: argument couldn't be parsed into an integer"], id="a bad value"),
        pytest.param(
            ["-q"], ["unexpected argument '-q': a file comes first, options begin with '--'"], id="no such short option"
        ),
        pytest.param(["a.conf", "--config", "b.conf"], ["--config: one file can be given"], id="two files"),
        pytest.param(
            ["--port", "0", "--http-port", "0"],
            [
                "there is nothing to listen on: 'port', 'http-port', 'tls-port' and 'tls-http-port' are 0"
                " and there is no 'unixsocket'"
            ],
            id="no listener",
        ),
    ],
)
def test_wrong_options(words: list[str], lines: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(words)
    assert str(caught.value).splitlines() == lines


def test_users() -> None:
    config = read_config(["--user", "shop on >pw ~cart:*", "--user", "admin", "on", "+@all", "--port", "1"])
    assert config.user_lines == [
        ("--user", [b"shop", b"on", b">pw", b"~cart:*"]),
        ("--user", [b"admin", b"on", b"+@all"]),
    ]
    server = Server(Store(), build_table(), config)
    server.users.begin()
    assert set(server.users.by_name) == {"default", "shop", "admin"}


def test_one_listener_is_enough() -> None:
    assert read_config(["--port", "0"]).http_port == 8379
    assert read_config(["--port", "0", "--http-port", "0", "--unixsocket", "/tmp/x"]).unixsocket == "/tmp/x"
    assert read_config(["--port", "0", "--http-port", "0", "--tls-port", "6380"]).tls_port == 6380
    assert read_config(["--port", "0", "--http-port", "0", "--tls-http-port", "8380"]).tls_http_port == 8380


def test_help_is_by_group_and_has_choices() -> None:
    text = help_text()
    assert text.index("Listeners and connections:") < text.index("--port N") < text.index("\nAccess:")
    assert "--protected-mode yes|no" in text
    assert "--appendfsync everysec|always|no" in text
    assert "--maxmemory-policy" not in text  # takes one value only
    assert "--rdbcompression" not in text  # has no effect
    assert max(map(len, text.splitlines())) <= 100
    assert set(GROUPS) < {parameter.name for parameter in PARAMETERS}


@pytest.mark.parametrize("word", ["-v", "--version"])
def test_version(word: str, capsys: Any) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("JanusKV ")
