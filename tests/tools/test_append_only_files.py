"""Append-only files of Redis: what is whole is imported, what is not is told with its offset. See tests/live/ for real ones."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from januskv.cli import main
from januskv.tools.link import encode
from januskv.tools.sources import BadFile, Input, command_steps, parts_of

# Steps: single commands and transactions.
STEPS: list[list[list[bytes]]] = [
    [[b"SELECT", b"0"]],
    [[b"SET", b"a", b"1"]],
    [[b"MULTI"], [b"SET", b"b", b"2"], [b"RPUSH", b"l", b"\r\n*1\r\n", b""], [b"EXEC"]],
    [[b"SELECT", b"3"]],
    [[b"PEXPIREAT", b"a", b"9999999999999"]],
    [[b"multi"], [b"set", b"never", b"1"], [b"discard"]],
    [[b"SET", b"c", b"\xff" * 30]],
]
CONTENT = b"".join(encode(command) for step in STEPS for command in step)


def read(data: bytes) -> tuple[list[list[list[bytes]]], str]:
    """The steps of a file, and what is wrong with it."""
    found = []
    try:
        for step in command_steps(Input("file", io.BytesIO(data), lambda count: None)):
            found.append(step.commands)
    except BadFile as error:
        return found, str(error)
    return found, ""


def test_a_file_that_ends_at_any_byte() -> None:
    ends = [0]
    for step in STEPS:
        ends.append(ends[-1] + sum(len(encode(command)) for command in step))
    for length in range(len(CONTENT) + 1):
        steps, error = read(CONTENT[:length])
        whole = sum(end <= length for end in ends) - 1
        assert steps == STEPS[:whole], length
        assert error.startswith(f"file: offset {ends[whole]}: the file ends within") == (ends[whole] != length), error
        assert error or ends[whole] == length


def test_a_wrong_byte_anywhere_is_refused_or_is_a_value() -> None:
    # Another name of MULTI, EXEC or DISCARD makes other steps.
    names = {CONTENT.upper().index(name) + at for name in (b"MULTI", b"EXEC", b"DISCARD") for at in range(len(name))}
    names |= {CONTENT.index(b"multi") + at for at in range(5)}
    for at in range(len(CONTENT)):
        for byte in (b"\x00", b"9", b"*", b"\n", b"-"):
            steps, error = read(CONTENT[:at] + byte + CONTENT[at + 1 :])
            assert error.startswith("file: offset ") or len(steps) == len(STEPS) or at in names, at


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    source = Input("file", io.BytesIO(b"*" + b"1" * 10_000_000), lambda count: None)
    with pytest.raises(BadFile, match="offset 0: b'\\*111"):
        list(command_steps(source))
    assert source.at < 100_000


def test_notes_of_the_time_are_passed_over() -> None:
    assert read(b"#TS:1700000000\r\n" + encode([b"PING"]) + b"#TS:1700000001\r\n#\r\n") == ([[[b"PING"]]], "")


def make(folder: Path, files: dict[str, bytes], manifest: str) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "appendonly.aof.manifest").write_text(manifest)
    return folder


def keys_in(folder: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capfd.readouterr()
    assert main(["export", "--dir", str(folder), "--format", "json"]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return {f"{entry['database']}:{entry['key']}": entry["value"] for entry in found}


def put(key: bytes, value: bytes) -> bytes:
    return encode([b"SET", key, value])


@pytest.mark.parametrize("form", ["directory", "manifest"])
def test_files_are_read_in_the_order_of_the_manifest(
    tmp_path: Path, form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    files = {
        "a.2.base.aof": put(b"k", b"base") + encode([b"SELECT", b"5"]) + put(b"k", b"base"),
        "a.2.incr.aof": put(b"k", b"second"),  # each file begins in database 0
        "a.10.incr.aof": put(b"last", b"tenth") + put(b"k", b"tenth"),
        "a.1.incr.aof": put(b"k", b"history") + put(b"old", b"x"),
    }
    manifest = """file a.10.incr.aof seq 10 type i
file a.1.incr.aof seq 1 type h
file "a.2.incr.aof" seq 2 type i

file a.2.base.aof seq 2 type b
"""
    folder = make(tmp_path / "from", files, manifest)
    path = folder if form == "directory" else folder / "appendonly.aof.manifest"
    assert main(["import", "--dir", str(tmp_path / "to"), str(path)]) == 0
    assert keys_in(tmp_path / "to", capfd) == {"0:k": "tenth", "0:last": "tenth", "5:k": "base"}


def test_a_file_in_the_middle_that_is_not_whole_ends_the_import(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = {"1": put(b"a", b"1"), "2": put(b"b", b"2") + put(b"c", b"3")[:-1], "3": put(b"d", b"4")}
    folder = make(tmp_path / "from", files, "".join(f"file {name} seq {name} type i\n" for name in files))
    assert main(["import", "--dir", str(tmp_path / "to"), str(folder)]) == 1
    told = capfd.readouterr().err
    assert f"{folder}/2: offset {len(put(b'b', b'2'))}: the file ends within this command" in told
    assert f"so are the files after it: {folder}/3" in told
    assert keys_in(tmp_path / "to", capfd) == {"0:a": "1", "0:b": "2"}


def test_a_transaction_without_its_end_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "appendonly.aof"
    start = put(b"a", b"1")
    file.write_bytes(start + encode([b"MULTI"]) + put(b"a", b"2") + put(b"b", b"2"))
    assert main(["import", "--dir", str(tmp_path / "to"), str(file)]) == 1
    told = capfd.readouterr().err
    assert f"offset {len(start)}: the file ends within this transaction, of which 2 whole commands are left out" in told
    assert keys_in(tmp_path / "to", capfd) == {"0:a": "1"}


def test_a_transaction_for_a_database_that_is_not_there_changes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "appendonly.aof"
    words = [[b"MULTI"], [b"SET", b"a", b"2"], [b"SELECT", b"20"], [b"SET", b"b", b"2"], [b"EXEC"]]
    file.write_bytes(
        put(b"a", b"1")
        + b"".join(map(encode, words))
        + put(b"lost", b"1")
        + encode([b"SELECT", b"1"])
        + put(b"c", b"3")
    )
    assert main(["import", "--dir", str(tmp_path / "to"), str(file)]) == 1
    told = capfd.readouterr().err
    assert "SELECT 20: ERR DB index is out of range; what belongs there is left out" in told
    assert "3 commands, 1 errors, 5 commands left out" in told
    assert keys_in(tmp_path / "to", capfd) == {"0:a": "1", "1:c": "3"}


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        pytest.param("nothing\n", "line 1: no line of a manifest", id="no fields"),
        pytest.param("file a seq x type i\n", "line 1: no line of a manifest", id="no number"),
        pytest.param("file ../a seq 1 type i\n", "line 1: '../a' is not the name of a file beside it", id="a path"),
        pytest.param("file a seq 1 type z\n", "line 1: unknown type 'z'", id="a new type"),
        pytest.param("file 'a seq 1 type i\n", "line 1: no line of a manifest", id="an open quote"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, manifest: str, error: str) -> None:
    with pytest.raises(BadFile, match=error.replace(".", r"\.")):
        parts_of(str(make(tmp_path / "from", {}, manifest)))


def test_files_that_are_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = ["--dir", str(tmp_path / "to")]
    folder = make(tmp_path / "from", {}, "file gone seq 1 type i\n")
    assert main(["import", *place, str(folder)]) == 1
    assert f"{folder}/gone: No such file" in capfd.readouterr().err
    assert main(["import", *place, str(tmp_path / "none")]) == 1
    (tmp_path / "empty").mkdir()
    assert main(["import", *place, str(tmp_path / "empty")]) == 1
    assert "there are 0 manifests, and one is needed" in capfd.readouterr().err


def test_what_a_server_does_not_take_is_told(
    start_januskv: Callable[..., Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = start_januskv()
    words = [[b"SET", b"a", b"x"], [b"INCR", b"a"], [b"MULTI"], [b"LPUSH", b"a", b"1"], [b"SET", b"b", b"1"], [b"EXEC"]]
    data = b"".join(map(encode, words))
    (tmp_path / "file").write_bytes(data)
    assert main(["import", "--port", str(server.port), str(tmp_path / "file")]) == 1
    told = capfd.readouterr().err
    assert f"offset {len(encode(words[0]))}: INCR a: ERR value is not an integer" in told
    assert f"offset {len(encode(words[0]) + encode(words[1]))}: EXEC: WRONGTYPE" in told
    assert "6 commands, 2 errors" in told
