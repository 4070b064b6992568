"""Configuration files: redis.conf style and TOML, what they set and how they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from januskv.compat.server.config import Config, quoted
from januskv.compat.server.parameters import BY_NAME, PARAMETERS, ConfigError


def written(folder: Path, text: str, name: str = "janus.conf") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_directives(tmp_path: Path) -> None:
    config = Config()
    config.apply_file(
        written(
            tmp_path,
            '# a comment\n\n  MAXCLIENTS 12\nrequirepass "a b\\x41\\n"\nbind 127.0.0.1 -::1\nproto-max-bulk-len 2mb\n'
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 4 5 6\nsave ''\n",
        )
    )
    assert config.maxclients == 12
    assert config.requirepass == "a bA\n"
    assert config.bind == "127.0.0.1 -::1"
    assert config.proto_max_bulk_len == 2 << 20
    assert config.client_output_buffer_limit["normal"] == (1, 2, 3)
    assert config.client_output_buffer_limit["pubsub"] == (4, 5, 6)
    assert config.path == str(tmp_path / "janus.conf")


def test_toml(tmp_path: Path) -> None:
    config = Config()
    text = 'maxclients = 12\nprotected-mode = false\nrequirepass = "ä"\nbind = ["127.0.0.1", "-::1"]\n'
    config.apply_file(written(tmp_path, text, "janus.toml"))
    assert (config.maxclients, config.protected_mode, config.requirepass) == (12, False, "ä")
    assert config.bind == "127.0.0.1 -::1"


def test_include_stands_in_its_place(tmp_path: Path) -> None:
    written(tmp_path, "maxclients 2\ntimeout 2\n", "a.inc")
    written(tmp_path, "hz 50\n", "b.inc")
    config = Config()
    config.apply_file(written(tmp_path, f"maxclients 1\ninclude {tmp_path}/*.inc\ntimeout 3\n"))
    assert (config.maxclients, config.timeout, config.hz) == (2, 3, 50)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("hz 20\nnosuch 1\n", ":2: nosuch: unknown parameter 'nosuch'", id="unknown name"),
        pytest.param("\n\nhz fast\n", ":3: hz: argument couldn't be parsed into an integer", id="bad value"),
        pytest.param('requirepass "abc\n', ":1: unbalanced quotes", id="an open quote"),
        pytest.param("maxmemory 1\n", ":1: maxmemory: only '0' works", id="not built yet"),
        pytest.param("save 900\n", ":1: save: Invalid save parameters", id="half a save point"),
        pytest.param("save 0 1\n", ":1: save: Invalid save parameters", id="no time between snapshots"),
        pytest.param("unixsocketperm 999\n", ":1: unixsocketperm: argument must be an octal", id="no octal number"),
        pytest.param("include /nonexistent\n", ":1: cannot read /nonexistent", id="a missing file"),
        pytest.param("include {self}\n", "include each other too deeply", id="a file that includes itself"),
    ],
)
def test_refused_with_the_line(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, text.replace("{self}", str(tmp_path / "janus.conf")))
    with pytest.raises(ConfigError) as caught:
        Config().apply_file(path)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("maxclients = ", "Invalid value", id="no TOML"),
        pytest.param(
            "[limits]\nmaxclients = 1\n",
            "tables such as [limits] are not supported, parameters are at the top",
            id="a table",
        ),
        pytest.param("nosuch = 1\n", "unknown parameter 'nosuch'", id="unknown name"),
    ],
)
def test_refused_toml(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config().apply_file(written(tmp_path, text, "janus.toml"))
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["janus.conf", "janus.toml"])
@pytest.mark.parametrize("password", ["plain", "", 'a"b', "a\\b", "# no comment", "a\nmaxclients 1\n", "\x00\x7f", "ä"])
def test_what_is_rewritten_is_read_again(tmp_path: Path, name: str, password: str) -> None:
    path = written(tmp_path, "", name)
    config = Config()
    config.apply_file(path)
    config.update({"requirepass": password, "timeout": 5})
    config.rewrite()
    again = Config()
    again.apply_file(path)
    assert (again.requirepass, again.timeout, again.maxclients) == (password, 5, 10_000)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    for name in ("janus.conf", "janus.toml"):
        config = Config()
        config.apply_file(written(tmp_path, "", name))
        config.update({"requirepass": "\udcff"})
        if name == "janus.toml":
            with pytest.raises(ConfigError, match="UTF-8"):
                config.rewrite()
        else:
            config.rewrite()
            again = Config()
            again.apply_file(str(tmp_path / name))
            assert again.requirepass == "\udcff"


def test_every_default_can_be_read_from_its_text() -> None:
    for parameter in PARAMETERS:
        assert parameter.kind.show(parameter.kind.parse(parameter.kind.show(parameter.default))) == parameter.kind.show(
            parameter.default
        )


def test_names_are_unique_and_attributes_too() -> None:
    assert len(BY_NAME) == len(PARAMETERS) + sum(parameter.alias is not None for parameter in PARAMETERS)
    assert len({parameter.attribute for parameter in PARAMETERS}) == len(PARAMETERS)


@pytest.mark.parametrize(("value", "shown"), [("a b", "a b"), ("", '""'), ("a  b", '"a  b"'), (" a", '" a"')])
def test_quotes_only_where_they_are_needed(value: str, shown: str) -> None:
    assert quoted(value) == shown


def test_the_heading_of_what_was_added_stands_once(tmp_path: Path) -> None:
    config = Config()
    config.apply_file(written(tmp_path, "# mine\n"))
    for name, value in (("maxclients", 12), ("timeout", 5), ("hz", 20)):
        config.update({name: value})
        config.rewrite()
    lines = (tmp_path / "janus.conf").read_text().splitlines()
    assert lines.count("# Generated by CONFIG REWRITE") == 1
    assert lines[:3] == ["# mine", "# Generated by CONFIG REWRITE", "maxclients 12"]
    assert {"timeout 5", "hz 20"} <= set(lines)
