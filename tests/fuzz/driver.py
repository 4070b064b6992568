"""What the fuzzers of all transports share: episodes of hostile input to a server without sockets, and what must hold.

An episode is a list of steps generated from a seed: a client sends some requests, split into reads anywhere, and time
passes. It is played on a fresh server, and after each step

- no exception has come out of the server, and none was logged;
- every reply can be parsed, and none is left incomplete;
- a bystander's PING is answered, and its key in a session of its own keeps its value;
- the step has not taken long, and memory has not grown;

at the end each client has as many replies as it sent requests (where that can be said), every structure passes its
``check()``, and, in every fifth episode, the log restores the same data. A failing episode is reduced by
leaving out steps and requests, and printed with the seed.

Environment: ``JANUSKV_FUZZ_SECONDS`` (3) for each transport, ``JANUSKV_FUZZ_SEED`` (1), ``JANUSKV_FUZZ_EPISODE`` to play only
that one, ``JANUSKV_FUZZ_FINDINGS`` for a file to which failures are added while the run goes on.

    JANUSKV_FUZZ_SECONDS=600 JANUSKV_FUZZ_SEED=$RANDOM python -m pytest tests/fuzz -s      # a long run
    JANUSKV_FUZZ_SEED=7 JANUSKV_FUZZ_EPISODE=1234 python -m pytest tests/fuzz/test_resp_transport.py    # one again
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import json
import logging
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tests.conftest import FakeTransport, House, Wire, encoded

from januskv.commands.params import NativeError
from januskv.commands.status import Status
from januskv.compat.redis.debug_verbs import debug_digest
from januskv.compat.server.connection import Connection
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.persistence import Persistence
from januskv.resp.decoder import ReplyReader
from januskv.resp.parser import Parser, ProtocolError
from januskv.resp.replies import Push, Simple
from januskv.storage.durability.journal import Journal, open_journal
from januskv.storage.sessions import shared_token

SEED = int(os.environ.get("JANUSKV_FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("JANUSKV_FUZZ_SECONDS", "3"))
ONLY_EPISODE = os.environ.get("JANUSKV_FUZZ_EPISODE")
FINDINGS = os.environ.get("JANUSKV_FUZZ_FINDINGS")

# For pytest-timeout: the budget, and time to make a failure smaller.
LIMIT_S = SECONDS * 2 + 600

STEP_CPU_S = 20.0
GROWTH_BYTES = 600 << 20
MOST_REPLY_BYTES = 256 << 20
MOST_ROUNDS = 200_000  # of timers that schedule each other, without time passing
SHRINK_CPU_S = 40.0
# Of the episodes, every fifth is logged, and every fourth has a password.
LOGGED_EVERY = 5
PROTECTED_EVERY = 4
PASSWORD = "fuzz password"
# The client that does not log in.
UNAUTHENTICATED = "unauthenticated"

# A shared session, so that its token is known before there is a server.
SESSION_NAME = "fuzz"
SESSION_TOKEN = shared_token(SESSION_NAME)

# These would end the process, hold it for a second or more, fork it or write files, or fail on purpose.
REFUSED = [
    "SHUTDOWN",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "KV_SAVE",
    "SH_SAVE",
    "TS_SAVE",
    "KV_LOAD",
    "SH_LOAD",
    "TS_LOAD",
    "PFSELFTEST",
    "PFSELFTEST",
    "DEBUG|SLEEP",
    "DEBUG|CRASH-COMMAND",
    "CONFIG|REWRITE",
]
# Limits that this driver relies on, and parameters that would make the server fork.
KEPT_PARAMETERS = frozenset(
    b"requirepass maxclients protected-mode proto-max-bulk-len json-max-payload client-query-buffer-limit appendonly "
    b"client-output-buffer-limit save appendfsync auto-aof-rewrite-min-size auto-aof-rewrite-percentage native-saves".split()
)
# After these the number of replies is unpredictable: more or fewer than one a request, or messages among them.
UNCOUNTED = frozenset(
    b"SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR CLIENT RESET QUIT SYNC PSYNC "
    b"REPLCONF SV_SUBSCRIBE".split()
)


# ---------------------------------------------------------------- an episode


@dataclass(frozen=True)
class Step:
    """A client sends requests in reads that are cut at these shares of their bytes, then does something, then time passes."""

    client: str
    requests: tuple[bytes, ...]
    cuts: tuple[float, ...] = ()
    then: str = ""  # "hang up", "stop reading" or "read on"
    advance_ms: int = 0

    def reads(self) -> Iterator[bytes]:
        """The bytes as they arrive."""
        data = b"".join(self.requests)
        at = 0
        for end in (*sorted(int(share * len(data)) for share in self.cuts), len(data)):
            if end > at:
                yield data[at:end]
                at = end


@dataclass
class Failure(Exception):
    """A violated condition: its kind, and the details."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class TookTooLong(BaseException):
    """A step has used more processor time than any request may."""


# ---------------------------------------------------------------- the server


class Timer:
    """The result of ``later``: it can be cancelled, as with an event loop."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class FuzzHouse(House):
    """A server whose timers follow its clock, and on which some commands are rejected."""

    def __init__(self, folder: str | None, *, protected: bool = False) -> None:
        super().__init__(
            requirepass=PASSWORD if protected else "",
            enable_debug_command="yes",
            native_saves=False,
            proto_max_bulk_len=1 << 18,
            json_max_payload=1 << 18,
            client_query_buffer_limit=1 << 22,
        )
        self.due: list[tuple[float, int, Timer]] = []
        self.count = 0
        self.server.process.later = self.later
        table = self.server.table
        for name in REFUSED:
            command = table.by_name(name.lower())
            assert command is not None, name
            if command.handle is None:
                command.run = self.refuse
            else:
                command.handle = self.refuse_natively
        config_set = table.by_name("config|set")
        assert config_set is not None
        self.config_set = config_set.run
        config_set.run = self.set_harmless
        self.persistence: Persistence | None = None
        if folder is not None:
            self.server.config.appendonly = True
            self.server.config.dir = folder
            self.persistence = self.server.keep(journal_of(self, folder))

    @staticmethod
    def refuse(context: ServerContext, argv: Any) -> Any:
        """The handler of rejected commands."""
        raise RespError("ERR not while fuzzing")

    @staticmethod
    def refuse_natively(context: ServerContext, body: Any) -> Any:
        """The handler of rejected native commands."""
        raise NativeError(Status.NOT_PERMITTED, "not while fuzzing")

    def set_harmless(self, context: ServerContext, argv: list[bytes]) -> Any:
        """CONFIG SET of anything else."""
        if any(name.lower() in KEPT_PARAMETERS for name in argv[2::2]):
            raise RespError("ERR not while fuzzing")
        return self.config_set(context, argv)

    def later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """``call_later`` of the event loop."""
        timer = Timer(call)
        self.count += 1
        heapq.heappush(self.due, (self.clock.now_ms + delay_s * 1000, self.count, timer))
        return timer

    def settle(self) -> None:
        """Call the timers that are due, and those that they schedule immediately."""
        for _ in range(MOST_ROUNDS):
            if not self.due or self.due[0][0] > self.clock.now_ms:
                return
            call = heapq.heappop(self.due)[2].call
            if call is not None:
                call()
        raise Failure("livelock", "timers call each other without end")

    def advance(self, ms: int) -> None:
        """Let time pass in a few steps, with timers and periodic tasks."""
        for part in (ms // 2, ms - ms // 2):
            self.clock.advance(part)
            self.settle()
            for _ in range(MOST_ROUNDS):
                if not self.server.upkeep.run_cron():
                    break
            else:
                raise Failure("livelock", "cron always finds more to do")
            self.settle()

    def check(self) -> None:
        """Run ``check()`` of every structure."""
        for keyspace in self.store.keyspaces():
            keyspace.check()
            for value in list(keyspace.data.values()):
                check = getattr(value, "check", None)
                if check is not None:
                    check()


def journal_of(house: House, folder: str) -> Journal:
    """Load a directory into the house, and log there from now on."""
    now_ms = house.clock.now_ms
    journal = open_journal(folder, house.store, cut_torn_tail=False)
    house.clock.now_ms = now_ms  # loading has set it to 0, and this clock does not advance by itself
    return journal


def digest_of(house: House) -> bytes:
    """The digest of all data."""
    digest = debug_digest(ServerContext(house.server), [])
    assert isinstance(digest, Simple)
    return digest.text


# ---------------------------------------------------------------- clients


class Client(Protocol):
    """One connection, as the driver needs it."""

    connection: Any
    transport: Any

    def receive(self, data: bytes) -> None:
        """Send bytes to the server, and read its replies."""

    def read(self) -> None:
        """Read the server's output. Raises Failure for anything but replies."""

    def check_count(self) -> None:
        """Raise Failure if there are more or fewer replies than requests."""


class DroppingTransport(FakeTransport):
    """Drops output after its end, like transports of event loops: a push may come before ``connection_lost``."""

    def write(self, data: bytes) -> None:
        if not self.closed:
            super().write(data)


class DataPortClient:
    """A connection of the data port, with RESP and JSON lines; it counts the replies to expect."""

    def __init__(self, house: FuzzHouse, *, authenticated: bool = True, only_json: bool = False) -> None:
        self.only_json = only_json  # it sends nothing else, so it must get nothing else
        self.transport = DroppingTransport()
        self.connection = Connection(house.server, house.server.dispatcher, house.native)
        self.connection.connection_made(self.transport)
        self.parser = Parser()
        config = house.server.config
        self.parser.max_bulk, self.parser.max_json = config.proto_max_bulk_len, config.json_max_payload
        self.parser.authenticated = True
        self.counted = authenticated
        self.least = self.most = self.received = 0
        self.unread = b""

    def receive(self, data: bytes) -> None:
        if self.counted:
            self.expect(data)
        self.connection.data_received(data)
        self.read()

    def expect(self, data: bytes) -> None:
        """Count the replies to these bytes, as the same parser reads them."""
        self.parser.feed(data)
        try:
            while self.counted and (request := self.parser.next()) is not None:
                self.most += 1
                if type(request) is not list:
                    self.counted = b"_SUBSCRIBE" not in request
                elif request[0].upper() in UNCOUNTED or (request[0][:1] == b"{" and b"_SUBSCRIBE" in request[0]):
                    self.counted = False
                else:
                    self.least += 1
        except ProtocolError:
            self.counted = False

    def read(self) -> None:
        written, self.transport.written = self.transport.written, b""
        data = self.unread + written
        while data:
            if data[:1] == b"{":
                line, end, rest = data.partition(b"\n")
                if not end:
                    break
                try:
                    known = type(json.loads(line)) is dict
                except ValueError:
                    known = False
                if not known:
                    raise Failure("reply", f"no JSON object: {line[:200]!r}")
                self.received += 1
                data = rest
                continue
            if self.only_json:
                raise Failure("reply", f"RESP to a client of JSON lines: {data[:200]!r}")
            reader = ReplyReader()
            reader.feed(data)
            try:
                got = reader.gets()
            except (ValueError, IndexError) as error:
                raise Failure("reply", f"{error}: {data[:200]!r}") from error
            if got is None:
                break
            wire, value = got
            self.received += type(value) is not Push
            data = data[len(wire) :]
        self.unread = data
        if data and not self.connection.sending and not self.transport.closed:
            raise Failure("reply", f"half a reply: {data[:200]!r}")

    def check_count(self) -> None:
        if not self.counted or self.transport.closed or self.connection.halted:
            return
        if not self.least <= self.received <= self.most:
            raise Failure("count", f"{self.least} to {self.most} replies were expected, {self.received} came")


class Bystander:
    """A client that others must not disturb: it uses a private session."""

    def __init__(self, house: FuzzHouse) -> None:
        self.house = house
        self.enter()

    def enter(self) -> None:
        """Open a session and set the probe there."""
        house = self.house
        self.session = house.store.sessions.open_new("bystander", shared=False)
        self.value = b"%d" % self.session.token
        self.connect()
        self.ask(b"SET", b"probe", self.value)

    def connect(self) -> None:
        """Connect and enter the session."""
        self.wire = Wire(self.house)
        if self.house.server.config.requirepass:
            self.ask(b"AUTH", PASSWORD.encode())
        self.ask(b"SELECT", b"%d" % self.session.token)

    def ask(self, *argv: bytes) -> bytes:
        """The reply to a command, as it is on the wire."""
        wrote = self.wire.send(encoded(*argv))
        self.house.settle()
        return wrote + (b"" if wrote else self.wire.transport.written)

    def look(self) -> None:
        """Check that the server replies correctly. Raises Failure."""
        if self.house.server.pause.until_ms:
            return
        if self.session.ended:  # SH_END_ALL
            self.wire.connection.connection_lost(None)
            self.enter()
        if self.wire.transport.closed:  # CLIENT KILL
            self.wire.connection.connection_lost(None)
            self.connect()
        if self.wire.connection.halted:  # it was asked during a pause
            raise Failure("bystander", "halted although there is no pause")
        for argv, wanted in (((b"PING",), b"+PONG\r\n"), ((b"GET", b"probe"), encoded(self.value)[4:])):
            reply = self.ask(*argv)
            if reply != wanted:
                raise Failure("bystander", f"{argv} was answered with {reply[:200]!r} instead of {wanted!r}")


# ---------------------------------------------------------------- playing


class _Records(logging.Handler):
    """Collects the log's records of unexpected errors."""

    def __init__(self) -> None:
        super().__init__()
        self.unexpected: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.unexpected.append(record)


@contextlib.contextmanager
def _watched() -> Iterator[_Records]:
    """Catch tracebacks in the server's log, and steps that take too long."""
    records = _Records()
    logger = logging.getLogger("januskv")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(records)
    logger.setLevel(logging.WARNING)
    logger.propagate = False

    def too_long(number: int, frame: object) -> None:
        raise TookTooLong

    previous = signal.signal(signal.SIGVTALRM, too_long)
    try:
        yield records
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
        logger.removeHandler(records)
        logger.setLevel(level)
        logger.propagate = propagate


def _where(error: BaseException) -> str:
    """An exception and its last frames."""
    return "".join(traceback.format_exception(error)[-6:])


def seed_of(listener: Listener, number: int) -> str:
    """The seed of an episode."""
    return f"{SEED} {listener.name} {number}"


class Play:
    """One episode on a server of its own."""

    def __init__(self, listener: Listener, steps: Sequence[Step], number: int) -> None:
        self.listener = listener
        self.steps = steps
        self.seed = seed_of(listener, number)
        self.logged = number % LOGGED_EVERY == 0
        self.protected = number % PROTECTED_EVERY == 3
        self.at = 0  # the step that is played
        self.clients: dict[str, Client] = {}

    def run(self) -> Failure | None:
        """Play it; return the failure, if any."""
        random.seed(self.seed)  # for random choices of the server
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory()) if self.logged else None
            records = stack.enter_context(_watched())
            self.house = FuzzHouse(folder, protected=self.protected)
            try:
                self.bystander = Bystander(self.house)
                for at, step in enumerate(self.steps):
                    self.at = at
                    signal.setitimer(signal.ITIMER_VIRTUAL, STEP_CPU_S)
                    self.play(step)
                    self.look(records)
                signal.setitimer(signal.ITIMER_VIRTUAL, STEP_CPU_S)
                self.end()
                self.look(records)
                if folder is not None:
                    self.compare_log(folder)
            except Failure as failure:
                return failure
            except TookTooLong as error:
                return Failure("slow", f"more than {STEP_CPU_S:g} s of processor time\n{_where(error)}")
            except AssertionError as error:
                return Failure("check", _where(error))
            except Exception as error:
                return Failure("exception", _where(error))
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                if self.house.persistence is not None:
                    self.house.persistence.threads.shutdown()
        return None

    def client(self, name: str) -> Client:
        """The client of this name, reconnected if it has lost its connection."""
        client = self.clients.get(name)
        if client is not None and client.transport.closed:
            self.lose(name)
            client = None
        if client is None:
            client = self.clients[name] = self.listener.connect(self.house, name)
            if self.protected and name != UNAUTHENTICATED:
                self.give(client, self.listener.login(name))
            self.give(client, self.listener.greeting(name))
        return client

    def lose(self, name: str) -> None:
        """The connection of a client is gone."""
        client = self.clients.pop(name)
        client.read()
        client.connection.connection_lost(None)

    def give(self, client: Client, data: bytes) -> None:
        if data and not client.transport.closed:
            client.receive(data)
            self.house.settle()
            self.read_all()

    def read_all(self) -> None:
        """Let every client read what it was sent."""
        for name, client in list(self.clients.items()):
            if len(client.transport.written) > MOST_REPLY_BYTES:
                raise Failure("memory", f"{len(client.transport.written)} bytes of replies to {name}")
            client.read()

    def play(self, step: Step) -> None:
        """Perform a step."""
        client = self.client(step.client)
        outside = self.protected and step.client == UNAUTHENTICATED
        before = digest_of(self.house) if outside else b""
        for data in step.reads():
            self.give(client, data)
        if outside and digest_of(self.house) != before:
            raise Failure("access", "an unauthenticated client has changed data")
        transport = client.transport
        if step.then == "hang up":
            self.lose(step.client)
        elif transport.closed:
            pass
        elif step.then == "stop reading":
            transport.unread = 8 << 20
            client.connection.pause_writing()
        elif step.then == "read on":
            transport.unread = 0
            client.connection.resume_writing()
        if step.advance_ms:
            self.house.advance(step.advance_ms)
        self.house.settle()
        self.read_all()
        for name in [name for name, each in self.clients.items() if each.transport.closed]:
            self.lose(name)

    def look(self, records: _Records) -> None:
        """Check the conditions that must hold after every step."""
        if records.unexpected:
            record = records.unexpected[0]
            assert record.exc_info is not None
            assert record.exc_info[1] is not None
            raise Failure("log", f"{record.getMessage()}\n{_where(record.exc_info[1])}")
        self.bystander.look()
        if records.unexpected:
            raise Failure("log", records.unexpected[0].getMessage())

    def end(self) -> None:
        """Let everything finish, and check all of it."""
        house = self.house
        house.server.pause.end()
        for client in self.clients.values():
            if not client.transport.closed:
                client.transport.unread = 0
                client.connection.resume_writing()
        house.advance(10_000)
        self.read_all()
        house.check()
        for client in self.clients.values():
            client.check_count()
        for name in list(self.clients):
            self.lose(name)
        house.advance(200)
        listed = set(house.server.clients.by_id) - {self.bystander.wire.connection.client.id}
        if listed:
            raise Failure("leak", f"clients {listed} are still listed")

    def compare_log(self, folder: str) -> None:
        """Load the log, and compare with the data in memory. Raises Failure."""
        persistence = self.house.persistence
        assert persistence is not None
        digest = digest_of(self.house)
        persistence.close()
        again = House()
        again.clock.now_ms = self.house.clock.now_ms
        journal_of(again, folder).close()
        if digest_of(again) != digest:
            raise Failure("log differs", differences(self.house, again))


def differences(one: House, other: House) -> str:
    """The differences between the data of two servers."""
    lines = []
    for left, right in zip(one.store.databases, other.store.databases, strict=True):
        for key in sorted({*left.live_keys(), *right.live_keys()}):
            sides = [(space.data.get(key), space.deadline_of(key)) for space in (left, right)]
            texts = [f"{type(value).__name__} {str(value)[:150]} {deadline}" for value, deadline in sides]
            if texts[0] != texts[1]:
                lines.append(f"database {left.index}, key {key!r}: {texts[0]} is {texts[1]} after a start")
    sessions = [
        {token: (each.name, each.duration_s, sorted(each.keyspace.live_keys())) for token, each in by.items()}
        for by in (one.store.sessions.by_token, other.store.sessions.by_token)
    ]
    if sessions[0] != sessions[1]:
        lines.append(f"sessions {sessions[0]} are {sessions[1]} after a start")
    return "\n".join(lines[:5]) or "the digests differ, but no key or session differs"


# ---------------------------------------------------------------- what a fuzzer brings


class Listener(Protocol):
    """The interface of a fuzzer: how clients connect, and what they send."""

    name: str

    def connect(self, house: FuzzHouse, name: str) -> Client:
        """A new connection for the client of this name."""

    def login(self, name: str) -> bytes:
        """The first input of this client if there is a password."""

    def greeting(self, name: str) -> bytes:
        """The next input of this client."""

    def steps(self, chance: random.Random) -> list[Step]:
        """An episode."""


# ---------------------------------------------------------------- making a failure smaller


def _signature(failure: Failure) -> str:
    """The identity of a failure's cause: its kind and where it was raised."""
    frames = [line.strip() for line in failure.text.splitlines() if line.strip().startswith("File ")]
    last = failure.text.strip().splitlines()[-1] if frames else ""
    return f"{failure.kind} {frames[-1] if frames else ''} {last.partition(':')[0]}"


def smaller(listener: Listener, steps: list[Step], failure: Failure, number: int) -> tuple[list[Step], Failure]:
    """Leave out steps, then requests, as long as the rest fails in the same way."""
    wanted = _signature(failure)
    until = time.process_time() + SHRINK_CPU_S
    last = failure

    def still_fails(tried: list[Step]) -> bool:
        nonlocal last
        if time.process_time() > until:
            return False
        result = Play(listener, tried, number).run()
        if result is not None and _signature(result) == wanted:
            last = result
            return True
        return False

    size = max(1, len(steps) // 2)
    while size:
        at = 0
        while at < len(steps):
            tried = steps[:at] + steps[at + size :]
            if still_fails(tried):
                steps = tried
            else:
                at += size
        size //= 2
    for at in range(len(steps)):
        number = 0
        while number < len(steps[at].requests):
            requests = steps[at].requests
            step = replace(steps[at], requests=requests[:number] + requests[number + 1 :])
            if still_fails([*steps[:at], step, *steps[at + 1 :]]):
                steps[at] = step
            else:
                number += 1
        for plain in (replace(steps[at], cuts=()), replace(steps[at], advance_ms=0), replace(steps[at], then="")):
            if plain != steps[at] and still_fails([*steps[:at], plain, *steps[at + 1 :]]):
                steps[at] = plain
    return steps, last


def as_text(steps: Sequence[Step]) -> str:
    """Steps as text, to be read and typed."""
    lines = []
    for step in steps:
        more = "".join(f", {name} {value!r}" for name, value in (("cut", step.cuts), ("then", step.then)) if value)
        lines.append(f"  {step.client}{more}, {step.advance_ms} ms later:")
        lines += [
            f"    {request!r}" if len(request) < 500 else f"    {request[:500]!r}..." for request in step.requests
        ]
    return "\n".join(lines)


# ---------------------------------------------------------------- the run


@dataclass
class Findings:
    """The failures of a run, each cause once."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, failure: Failure, text: str) -> None:
        signature = _signature(failure)
        if signature not in self.texts:
            self.texts[signature] = text
            if FINDINGS:
                with Path(FINDINGS).open("a") as out:
                    out.write(f"{text}\n\n")


def resident_bytes() -> int:
    """Memory of this process in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fuzz(listener: Listener) -> None:
    """Play episodes until time runs out. Raises AssertionError with the smallest input that fails."""
    findings = Findings()
    known: set[str] = set()
    until = time.monotonic() + SECONDS
    number = 0 if ONLY_EPISODE is None else int(ONLY_EPISODE)
    least_bytes = 0
    while True:
        steps = listener.steps(random.Random(seed_of(listener, number)))
        play = Play(listener, steps, number)
        failure = play.run()
        if failure is not None and _signature(failure) not in known:
            known.add(_signature(failure))
            least, failure = smaller(listener, steps[: play.at + 1], failure, number)
            text = f"{failure}\nlistener {listener.name}, seed {SEED}, episode {number}:\n{as_text(least)}"
            findings.add(failure, text)
            if not FINDINGS:
                break
        number += 1
        if number % 20 == 0:
            gc.collect()
            size = resident_bytes()
            if number == 40:
                least_bytes = size
            assert not least_bytes or size < least_bytes + GROWTH_BYTES, f"{size} bytes after {number} episodes"
        if ONLY_EPISODE is not None or time.monotonic() > until:
            break
    print(f"listener {listener.name}, seed {SEED}: {number} episodes")
    assert not findings.texts, "\n\n".join(findings.texts.values())
