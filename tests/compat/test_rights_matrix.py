"""Every command with too few rights and with just enough, on every transport that can run it.

The commands are those of the table, each with an example in ``rights_examples``: one without fails here. What rights an example
takes is told by the names in it, not by the command's own declaration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from tests.compat.rights_examples import ALL_KEYS, DATA, EXAMPLES, KINDS, LIBRARY
from tests.compat.test_both_transports import Native
from tests.conftest import House, Wire, encoded, words

from januskv.commands.declare import Flag
from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.compat.server.monitors import quoted
from januskv.resp.replies import ErrorReply, Simple

TABLE = build_table()
OK = Simple(b"OK")
NO_KEY = "No permissions to access a key"
NO_CHANNEL = "No permissions to access a channel"
KEY = re.compile(r"(r|w|rw|x)\.\S+")
RUN = "return redis.pcall(unpack(ARGV))"
# What status a reply has that is not an error: done, a save that began or ended, loaded.
GOING_WELL = {1, 120, 121, 141}

# The channels of the examples: what allows them, and what does not.
CHANNELS = {
    "SUBSCRIBE": (["&news", "&new*"], ["&other", "&new"]),
    "SSUBSCRIBE": (["&news", "&n*"], ["&other"]),
    "PSUBSCRIBE": (["&new*"], ["&news", "&n*", "&new?"]),
    "PUBLISH": (["&news", "&n*"], ["&other"]),
    "SPUBLISH": (["&news", "&n*"], ["&other"]),
    "SV_PUBLISH": (["&news", "&n*"], ["&other"]),
    "SV_SUBSCRIBE": (["&news &new*"], ["&news", "&n*"]),
}
# What examples read besides the keys in the line.
BESIDES = dict.fromkeys(("TS.MGET", "TS.MRANGE", "TS.MREVRANGE"), "%R~r.ts")


class Example:
    """An example of a command."""

    def __init__(self, text: str) -> None:
        self.fails, text = text.startswith("! "), text.removeprefix("! ")
        if self.fails:
            text, _, reason = text.partition(" : ")
            assert reason, text
        self.text, _, before = text.partition(" <- ")
        self.before = before.split(" ; ") if before else []
        self.argv = words(self.text.replace("TOKEN", "1"))
        command = TABLE.find(self.argv)
        assert command is not None, text
        assert command.min_args <= len(self.argv) <= command.max_args, text
        self.command: Command = command
        self.is_native = command.handle is not None

    def line(self, token: int) -> list[bytes]:
        """Its words, with the token of a session."""
        return words(self.text.replace("TOKEN", str(token)))

    def body(self, token: int) -> Any:
        """The JSON of a native command."""
        argv = self.line(token)
        return json.loads(argv[1]) if len(argv) > 1 else {}

    @property
    def keys(self) -> dict[str, str]:
        """Its keys, and what it does with each."""
        names = texts(self.body(1)) if self.is_native else [word.decode() for word in self.argv[1:]]
        return {name: found[1] for name in names if (found := KEY.fullmatch(name))}

    @property
    def all_keys(self) -> str:
        """What it does with all keys, if it names none."""
        if self.command.name == "KV_FIND" and self.keys:
            return ""
        return ALL_KEYS.get(self.command.name, "")

    def enough(self) -> list[str]:
        """Rules of keys that give no more than what it takes."""
        exact = {"r": "%R~", "w": "%W~", "rw": "~", "": ""}
        if self.all_keys:
            return [f"{exact[self.all_keys]}*"]
        rules = [exact.get(kind, "%R~") + name for name, kind in self.keys.items()]
        besides = BESIDES.get(self.command.name, "")
        found = " ".join([*rules, besides] if besides else rules)
        return [found, found.replace("%R~x.", "%W~x.")] if "%R~x." in found else [found]

    def too_few(self) -> Iterator[str]:
        """Rules of keys that give all but one right that it takes."""
        wrong = {"r": ["%W~"], "w": ["%R~"], "rw": ["%R~", "%W~"], "x": []}
        if self.all_keys:
            yield " ".join(f"~{name}" for name in self.keys)
            yield f"{wrong[self.all_keys][0]}* ~r.* ~w.*"
            return
        for name, kind in self.keys.items():
            others = " ".join(f"~{each}" for each in self.keys if each != name)
            yield others
            for marks in wrong[kind]:
                yield f"{others} {marks}{name}"

    @property
    def channels(self) -> str:
        return CHANNELS.get(self.command.name, ([""], [""]))[0][0]


def texts(value: Any) -> list[str]:
    """The texts in JSON, names of members too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *texts(list(value.values()))]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


ALL = [Example(text) for text in EXAMPLES.strip().splitlines()]
every_example = pytest.mark.parametrize("example", [pytest.param(each, id=each.text[:40]) for each in ALL])


def runs_by_itself(command: Command) -> bool:
    """Whether it is more than a container of subcommands."""
    return not command.subcommands or command.min_args == 1


# ---------------------------------------------------------------- a server, a user, and the transports


@cache
def data(kind: str) -> bytes:
    """What makes the keys whose names begin so."""
    lines = [line.replace("K.", f"{kind}.").replace("kind K", f"kind {kind}") for line in DATA.strip().splitlines()]
    return b"".join(encoded(*words(line)) for line in lines)


class Scene:
    """A server with data of all types, somebody who may do everything, and the user u."""

    def __init__(self, kinds: Iterable[str] = KINDS, *, library: bool = True) -> None:
        self.house = House(enable_debug_command="yes", native_saves=False)
        self.admin = self.house.connect()
        for kind in kinds:
            replies = self.admin.replies(data(kind))
            assert not any(type(reply) is ErrorReply for reply in replies), replies
        self.token = json.loads(self.admin('{"SH_NEW":{"name":"shared","shared":true}}'))["SH_NEW_RSP"]["tkn"]
        if library:
            self.load()
        self.rule("+@all allkeys allchannels")

    def load(self) -> None:
        """Load the library that the examples of functions need, and one of the transports."""
        assert self.admin("FUNCTION", "LOAD", "REPLACE", LIBRARY) == b"lib"

    def is_fit(self) -> bool:
        """Whether anybody can still connect, change users, and run scripts and functions."""
        lines = ("ACL SETUSER u reset on nopass +@all", "EVAL 'return 1' 0", "FCALL run 0 PING")
        connected = self.house.connect()
        replies = connected.replies(b"".join(encoded(*words(line)) for line in lines))
        connected.connection.connection_lost(None)
        return replies == [OK, 1, Simple(b"PONG")]

    def rule(self, rules: str) -> None:
        connected = self.house.connect()
        assert connected.line(f"ACL SETUSER u reset on nopass {rules}") == OK
        connected.connection.connection_lost(None)

    def connect(self) -> Wire:
        connected = self.house.connect()
        assert connected("AUTH", "u", "x") == OK
        return connected

    def content(self) -> tuple[Any, ...]:
        """All data, and how often keys were looked for."""
        stats = self.admin("INFO", "stats").decode()
        looks = re.findall(r"keyspace_\w+:\d+", stats)
        return self.admin("DEBUG", "DIGEST"), looks

    def calls(self, command: Command) -> tuple[int, int]:
        found = self.house.server.table.by_name(command.name)
        assert found is not None
        return found.calls, found.failed


# Gives what came back: texts of errors, None where there is none.
Door = Callable[[Scene, Wire, list[bytes]], "str | None"]


def error_in(reply: Any) -> str | None:
    """The text of the first error in a reply; None if it has none."""
    if type(reply) is ErrorReply:
        return reply.text.decode(errors="replace")
    if isinstance(reply, list):
        return next((text for each in reply if (text := error_in(each)) is not None), None)
    return None


def over_resp(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    return error_in(wire.replies(encoded(*argv)))


def over_resp3(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    wire("HELLO", 3)
    return error_in(wire.replies(encoded(*argv)))


def inline(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    return error_in(wire.replies(b" ".join(map(quoted, argv)) + b"\r\n"))


def queued(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    for line in ([b"MULTI"], argv, [b"EXEC"]):
        error = over_resp(scene, wire, line)
        if error is not None:
            return error
    return None


def in_a_script(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    return over_resp(scene, wire, [b"EVAL", RUN.encode(), b"0", *argv])


def in_a_function(scene: Scene, wire: Wire, argv: list[bytes]) -> str | None:
    return over_resp(scene, wire, [b"FCALL", b"run", b"0", *argv])


def refused_in(messages: list[Any]) -> str | None:
    for message in messages:
        [body] = message.values()
        if isinstance(body, dict) and body.get("st") not in (None, *GOING_WELL):
            return f"{body['st']} {body.get('m', body.get('msg', ''))}"
    return None


def as_line(scene: Scene, wire: Wire, request: dict[str, Any]) -> str | None:
    return refused_in([json.loads(line) for line in wire.send(json.dumps(request).encode() + b"\n").splitlines()])


def as_message(scene: Scene, wire: Wire, request: dict[str, Any]) -> str | None:
    socket = Native(scene.house, "message")
    socket.send({"SV_AUTH": {"user": "u", "password": "x"}})
    error = refused_in(socket.send(request))
    socket.connection.connection_lost(None)
    return error


def as_document(scene: Scene, wire: Wire, request: dict[str, Any]) -> str | None:
    replies = wire.replies(encoded(json.dumps(request)))
    return error_in(replies) or refused_in([json.loads(each) for each in replies if each != OK])


DOORS = {
    "RESP2": over_resp,
    "RESP3": over_resp3,
    "inline": inline,
    "MULTI": queued,
    "EVAL": in_a_script,
    "FCALL": in_a_function,
}
SCRIPTS = ("EVAL", "FCALL")
NATIVE_DOORS = {"JSON line": as_line, "WebSocket": as_message, "document": as_document}
# What the user must be allowed besides.
RUNNERS = "+multi +exec +eval +fcall"


def through_all(scene: Scene, example: Example) -> Iterator[tuple[str, str | None]]:
    """What the user u is told through each of the transports, each on a connection of its own."""
    argv = example.line(scene.token)
    for name, door in DOORS.items():
        connected = scene.connect()
        yield name, door(scene, connected, argv)
        connected.connection.connection_lost(None)
    if example.is_native:
        for name, native in NATIVE_DOORS.items():
            connected = scene.connect()
            yield name, native(scene, connected, {example.command.name: example.body(scene.token)})
            connected.connection.connection_lost(None)


def check_refused(scene: Scene, example: Example, reason: str) -> None:
    """Check that the user is refused everywhere for a reason, and that it counts as a refusal and not as a call."""
    calls = scene.calls(example.command)
    for door, error in through_all(scene, example):
        assert error is not None, door
        refused = reason in error and ("NOPERM" in error or error.startswith("171 "))
        assert refused or refused_earlier(example.command, door, error), (door, error)
    if example.command.name not in SCRIPTS:  # those of the transport are calls
        assert scene.calls(example.command) == calls


def refused_earlier(command: Command, door: str, error: str) -> bool:
    """Whether nobody at all may run the command in this way, which is found out before the rights are looked at."""
    if door in SCRIPTS and command.flags & (Flag.NOSCRIPT | Flag.CONNECTION):
        return "is not allowed from script" in error
    return command.name.startswith("MODULE|") and Flag.PROTECTED in command.flags and "command not allowed" in error


# ---------------------------------------------------------------- the matrix


def test_every_command_has_an_example() -> None:
    needed = {command.name for command in TABLE.everything() if runs_by_itself(command)}
    assert {example.command.name for example in ALL} == needed


def test_the_examples_use_all_that_is_declared() -> None:
    with_keys = {
        command.name
        for command in TABLE.everything()
        if any("not_key" not in spec.flags for spec in command.options.keys)
    }
    assert {example.command.name for example in ALL if example.keys} == with_keys | {"SV_SUBSCRIBE"}
    with_channels = {command.name for command in TABLE.everything() if command.options.channels}
    assert with_channels == CHANNELS.keys()
    assert {name for name, command in TABLE.native.items() if command.options.key_patterns} == {
        *ALL_KEYS,
        "SV_SUBSCRIBE",
    }


@pytest.fixture(scope="module")
def whole() -> list[Scene]:
    """One server is enough for all that is refused, as that changes nothing."""
    return [Scene()]


@pytest.fixture
def unchanged(whole: list[Scene]) -> Iterator[Scene]:
    """A server of which nothing is read or changed."""
    scene = whole[0]
    before = scene.content()
    yield scene
    if scene.content() != before:
        whole[0] = Scene()
        pytest.fail("something was read or changed")


@pytest.fixture(scope="module")
def kept() -> list[Scene]:
    return [Scene(())]


@pytest.fixture
def used(kept: list[Scene]) -> Scene:
    """A server without data in which examples have been done; a new one if one has left it unfit for others."""
    if not kept[0].is_fit():
        kept[0] = Scene(())
    return kept[0]


@every_example
def test_without_the_command(unchanged: Scene, example: Example) -> None:
    scene, command = unchanged, example.command
    scene.rule(f"+@all -{command.text_name} allkeys allchannels")
    if Flag.NO_AUTH in command.flags:  # log-ins are always allowed
        assert "NOPERM" not in (over_resp(scene, scene.connect(), example.line(scene.token)) or "")
        return
    check_refused(scene, example, f"User u has no permissions to run the '{command.text_name}' command")


@every_example
def test_with_just_the_rights_it_takes(example: Example) -> None:
    for keys in example.enough():
        scene = Scene(
            sorted({*example.keys.values(), "r"}), library="FUNCTION" in example.text or "FCALL" in example.text
        )
        user = scene.connect()
        for line in example.before:
            assert error_in(user.line(line)) is None, line
        scene.rule(f"+{example.command.text_name} {keys} {example.channels}")
        replies = user.replies(encoded(*example.line(scene.token)))
        error = error_in(replies)
        if error is None and example.is_native:
            error = refused_in([json.loads(reply) for reply in replies if reply not in (OK, b"OK")])
        assert not denied(error), error
        assert (error is not None) is example.fails, error


@every_example
def test_with_just_the_rights_it_takes_on_every_transport(used: Scene, example: Example) -> None:
    if example.command.name in ("PFSELFTEST", "COMMAND"):
        return  # they take their time
    scene = used
    for keys in example.enough():
        scene.rule(f"+{example.command.text_name} {keys} {example.channels} {RUNNERS}")
        for door, error in through_all(scene, example):
            assert not denied(error), (door, error)


def denied(error: str | None) -> bool:
    """Whether rights are the reason of an error."""
    return error is not None and ("NOPERM" in error or "o permissions" in error)


@pytest.mark.parametrize(
    "example", [pytest.param(each, id=each.text[:40]) for each in ALL if each.keys or each.all_keys]
)
def test_without_a_key(unchanged: Scene, example: Example) -> None:
    for rules in example.too_few():
        unchanged.rule(f"+@all {rules} allchannels")
        check_refused(unchanged, example, NO_KEY)


@pytest.mark.parametrize("example", [pytest.param(each, id=each.text[:40]) for each in ALL if each.channels])
def test_channels(unchanged: Scene, example: Example) -> None:
    enough, too_few = CHANNELS[example.command.name]
    for rules in ["", *too_few]:
        unchanged.rule(f"+@all allkeys {rules}")
        check_refused(unchanged, example, NO_CHANNEL)
    scene = Scene(())
    for rules in enough:
        scene.rule(f"+@all allkeys {rules}")
        for door, error in through_all(scene, example):
            assert not denied(error), (rules, door)


# ---------------------------------------------------------------- containers


@pytest.mark.parametrize("container", [each.name for each in TABLE if each.subcommands])
def test_a_container_stands_for_its_subcommands(unchanged: Scene, container: str) -> None:
    inside = [example for example in ALL if example.command.name.startswith(f"{container}|")]
    assert inside
    unchanged.rule(f"+@all -{container} allkeys allchannels")
    for example in inside:
        error = over_resp(unchanged, unchanged.connect(), example.line(unchanged.token))
        assert error is not None
        assert denied(error) or refused_earlier(example.command, "", error), example.text
    scene = Scene(())
    scene.rule(f"+{container} allkeys allchannels")
    for example in inside:
        assert not denied(over_resp(scene, scene.connect(), example.line(scene.token))), example.text
