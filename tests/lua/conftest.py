"""A host of scripts with nothing behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from januskv.lua import CommandError, Killed, LuaEngine, ScriptError
from januskv.resp.encoder import encode
from januskv.resp.replies import OK, ErrorReply, Reply


class FakeHost:
    """Has GET and SET, and gives the replies that a test puts into ``replies``."""

    version = "7.4.1"
    version_num = 0x070401

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.replies: dict[bytes, Reply] = {}
        self.calls: list[list[bytes]] = []
        self.logged: list[tuple[int, bytes]] = []
        self.errors: list[tuple[bytes, bool]] = []
        self.versions: list[int] = []
        self.ticks = 0
        self.last_tick: int | None = None
        self.bug = False

    def call(self, argv: list[bytes]) -> Reply:
        if self.bug:
            raise KeyError("a bug")
        self.calls.append(argv)
        name = argv[0].lower()
        if name in self.replies:
            return self.replies[name]
        if name == b"get":
            return self.data.get(argv[1])
        if name == b"set":
            self.data[argv[1]] = argv[2]
            return OK
        return ErrorReply("ERR Unknown Redis command called from script")

    def log(self, level: int, message: bytes) -> None:
        self.logged.append((level, message))

    def acl_check(self, argv: list[bytes]) -> bool:
        if argv[0] == b"nosuch":
            raise CommandError("ERR Invalid command passed to redis.acl_check_cmd()")
        return argv[0] == b"get"

    def replied(self, text: bytes, of_command: bool) -> None:
        self.errors.append((text, of_command))

    def set_resp(self, version: int) -> None:
        self.versions.append(version)

    def tick(self) -> None:
        self.ticks += 1
        if self.last_tick is not None and self.ticks >= self.last_tick:
            raise Killed("ERR Script killed by user with SCRIPT KILL.")


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def engine(host: FakeHost) -> LuaEngine:
    return LuaEngine(host)


Run = Callable[..., Reply]


def evaluate(engine: LuaEngine, script: str | bytes, *args: bytes, keys: tuple[bytes, ...] = ()) -> Reply:
    """The reply to EVAL, errors included."""
    body = script.encode() if isinstance(script, str) else script
    try:
        return engine.run(engine.compile(body), list(keys), list(args), sha=hashlib.sha1(body).hexdigest().encode())
    except ScriptError as error:
        return ErrorReply(error.text)


@pytest.fixture
def run(engine: LuaEngine) -> Run:
    """Run a script: its reply."""

    def call(script: str | bytes, *args: bytes, keys: tuple[bytes, ...] = ()) -> Reply:
        return evaluate(engine, script, *args, keys=keys)

    return call


def wire(reply: Reply) -> str:
    """A reply as a RESP2 client sees it."""
    return encode(reply, 2).decode("latin-1")
