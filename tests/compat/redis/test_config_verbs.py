"""CONFIG GET, SET, RESETSTAT, REWRITE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")


# Read or set by client libraries, tools and their test suites.
READ = """
    save appendonly maxmemory maxmemory-policy maxmemory-samples databases maxclients timeout hz bind port
    list-max-listpack-size list-max-ziplist-size list-compress-depth hash-max-listpack-entries
    hash-max-listpack-value hash-max-ziplist-entries hash-max-ziplist-value set-max-intset-entries
    set-max-listpack-entries set-max-listpack-value zset-max-listpack-entries zset-max-listpack-value
    zset-max-ziplist-entries zset-max-ziplist-value hll-sparse-max-bytes stream-node-max-entries
    stream-node-max-bytes slowlog-log-slower-than slowlog-max-len latency-monitor-threshold
    notify-keyspace-events lua-time-limit busy-reply-threshold proto-max-bulk-len tracking-table-max-keys
    min-replicas-to-write replica-serve-stale-data requirepass client-output-buffer-limit
    client-query-buffer-limit tcp-keepalive unixsocket protected-mode
"""


def fields(reply: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def failed(name: str, reason: str) -> ErrorReply:
    return ErrorReply(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        pytest.param("maxclients", ["maxclients"], id="a name"),
        pytest.param("key-load-delay", ["key-load-delay"], id="the name of a hidden one"),
        pytest.param("key-load-dela?", [], id="a pattern does not show hidden ones"),
        pytest.param("MAXCLIENTS", ["MAXCLIENTS"], id="as it was written"),
        pytest.param("slowlog-*", ["slowlog-log-slower-than", "slowlog-max-len"], id="a pattern"),
        pytest.param("port databases po*", ["port", "databases"], id="several, each once"),
        pytest.param(
            "list-max-*-size", ["list-max-listpack-size", "list-max-ziplist-size"], id="old names are found as well"
        ),
        pytest.param("nosuch", [], id="nothing"),
    ],
)
def test_get(wire: Any, patterns: str, names: list[str]) -> None:
    assert list(fields(wire.line(f"CONFIG GET {patterns}"))) == [name.encode() for name in names]


@pytest.mark.parametrize(
    "name",
    READ.split(),
)
def test_what_clients_read_is_there_and_may_be_set_to_what_it_is(wire: Any, name: str) -> None:
    (value,) = fields(wire("CONFIG", "GET", name)).values()
    reply = wire("CONFIG", "SET", name, value)
    assert reply in (OK, failed(name, "can't set immutable config"))


def test_set_takes_effect(house: Any, wire: Any) -> None:
    assert wire.line("CONFIG SET slowlog-log-slower-than 0 maxclients 1 timeout 5") == OK
    wire("GET", "a")
    assert house.server.accounts.slowlog.entries[0].argv == [b"GET", b"a"]
    assert house.connect().transport.closed
    house.advance(6_000)
    assert wire.transport.closed


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        pytest.param(
            "nosuch 1",
            ErrorReply("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
            id="unknown",
        ),
        pytest.param(
            "hz x nosuch 1",
            ErrorReply("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
            id="names are looked at before values",
        ),
        pytest.param("hz 20 timeout", ErrorReply("ERR syntax error"), id="no value"),
        pytest.param("hz x", failed("hz", "argument couldn't be parsed into an integer"), id="no number"),
        pytest.param(
            "timeout -1", failed("timeout", "argument must be between 0 and 2147483647 inclusive"), id="range"
        ),
        pytest.param("protected-mode maybe", failed("protected-mode", "argument must be 'yes' or 'no'"), id="no bool"),
        pytest.param("maxmemory abc", failed("maxmemory", "argument must be a memory value"), id="no size"),
        pytest.param("databases 5", failed("databases", "can't set immutable config"), id="fixed at start"),
        pytest.param("hz 20 hz 30", failed("hz", "duplicate parameter"), id="twice"),
        pytest.param(
            "client-output-buffer-limit 'normal 1 2'",
            failed("client-output-buffer-limit", "Wrong number of arguments in buffer limit configuration."),
            id="an incomplete limit",
        ),
        pytest.param(
            "maxmemory 100mb", failed("maxmemory", "only '0' works: eviction is not built yet"), id="no eviction"
        ),
        pytest.param(
            "save '3600 1'",
            failed("save", "the server was started to keep nothing; start it with this setting"),
            id="no directory for snapshots",
        ),
    ],
)
def test_set_refuses_and_changes_nothing(wire: Any, line: str, reply: ErrorReply) -> None:
    before = wire.line("CONFIG GET *")
    assert wire.line(f"CONFIG SET maxclients 77 {line}") == reply
    assert wire.line("CONFIG GET *") == before


@pytest.mark.parametrize("text", ["01", "-0", "+1", "", "9" * 20])
def test_numbers_are_written_as_redis_writes_them(wire: Any, text: str) -> None:
    reply = wire("CONFIG", "SET", "slowlog-max-len", text)
    assert reply.text.endswith(b"argument couldn't be parsed into an integer")


def test_a_limit_of_one_class_leaves_the_others(wire: Any) -> None:
    wire.line("CONFIG SET client-output-buffer-limit 'normal 1mb 2mb 3'")
    wire.line("CONFIG SET client-output-buffer-limit 'pubsub 4 5 6'")
    (shown,) = fields(wire.line("CONFIG GET client-output-buffer-limit")).values()
    assert shown == b"normal 1048576 2097152 3 slave 268435456 67108864 60 pubsub 4 5 6"


def test_resetstat(house: Any, wire: Any) -> None:
    for line in ("SET a 1", "GET a", "GET b", "NOSUCH"):
        wire.line(line)
    assert wire("CONFIG", "RESETSTAT") == OK
    info = wire("INFO", "stats", "commandstats", "errorstats").decode()
    for line in ("keyspace_hits:0", "keyspace_misses:0", "total_error_replies:0", "total_connections_received:0"):
        assert line in info
    for line in (
        "total_reads_processed:1\r\n",
        "total_writes_processed:1\r\n",
    ):  # those of this request and the reply before it
        assert line in info
    assert "cmdstat_set" not in info
    assert "errorstat_ERR" not in info


def test_rewrite_without_a_file(wire: Any) -> None:
    assert wire("CONFIG", "REWRITE") == ErrorReply("ERR The server is running without a config file")


def test_rewrite_keeps_comments_and_mode(house: Any, wire: Any, tmp_path: Path) -> None:
    path = tmp_path / "janus.conf"
    path.write_text("# ours\nmaxclients 5\nrequirepass old\n\ntimeout 7\n")
    path.chmod(0o640)
    house.server.config.apply_file(str(path))
    assert wire("CONFIG", "SET", "maxclients", 6, "requirepass", 'a "b"\n#', "hz", 20) == OK
    assert wire("CONFIG", "REWRITE") == OK
    assert path.read_text() == (
        "# ours\nmaxclients 6\n"
        + 'requirepass "a \\"b\\"\\n#"'
        + '\n\ntimeout 7\n# Generated by CONFIG REWRITE\nappendonly no\nhz 20\nsave ""\n'
    )
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["janus.conf"]


def test_rewrite_says_why_it_cannot(house: Any, wire: Any, tmp_path: Path) -> None:
    path = tmp_path / "janus.conf"
    path.write_text("hz 20\n")
    house.server.config.apply_file(str(path))
    path.unlink()
    assert wire("CONFIG", "REWRITE") == ErrorReply("ERR Rewriting config file: No such file or directory")


def test_help_names_the_subcommands(wire: Any) -> None:
    lines = [line.text for line in wire("CONFIG", "HELP")]
    assert lines[0] == b"CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"SET <directive> <value>" in lines
