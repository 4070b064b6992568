"""Servers to measure: started on free ports, pinned to one core, ended by their pids. Linux only (``/proc``).

If this process may use two cores or more, servers run on the first and clients on the second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT_S = 30.0
END_LIMIT_S = 15.0
# Read once, before anything is pinned.
_CORES = sorted(os.sched_getaffinity(0))

# Names of the servers on the command lines of these scripts.
BUILDS = ("compiled", "plain", "redis", "before")


# ---------------------------------------------------------------- cores


def pin_to_server_core() -> None:
    """Keep this process on the servers' core, if there are two."""
    if len(_CORES) >= 2:
        os.sched_setaffinity(0, {_CORES[0]})


def pin_to_client_core() -> None:
    """Keep this process on the clients' core, if there are two."""
    if len(_CORES) >= 2:
        os.sched_setaffinity(0, {_CORES[1]})


def run_client(argv: Sequence[str], limit_s: float = 300) -> str:
    """Run a client program on the clients' core; return its output. Raises RuntimeError when it fails."""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=pin_to_client_core
    ) as process:
        try:
            out, problems = process.communicate(timeout=limit_s)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {problems.strip() or process.returncode}")
    return out


# ---------------------------------------------------------------- a quiet machine

T = TypeVar("T")

# The share of the machine (1: all cores) that other programs may use during a measurement.
MOST_DISTURBANCE = 0.04
TRIES = 6
# Longest time of all repetitions together; on a machine that is never quiet the figures are finally accepted, marked.
PATIENCE_S = 600.0
_RETRY_AFTER_S = 1.0
_running: set[int] = set()  # pids of the servers
_waited_s = 0.0
_disturbed = 0
_lock: TextIO | None = None  # held until the process ends


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used with all its threads, user and system; in units of the kernel's tick."""
    return _cpu_ticks(pid) / TICKS


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _others_ticks() -> float:
    """Processor time that other programs, and other virtual machines, have used so far."""
    user, nice, system, _idle, _wait, _irq, _softirq, steal = (
        int(text) for text in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    mine = sum(os.times()[:4]) * TICKS  # this process and the clients it has waited for
    return user + nice + system + steal - mine - sum(_cpu_ticks(pid) for pid in _running)


_begun = (time.monotonic(), _others_ticks())


def _disturbance(since: tuple[float, float]) -> float:
    """The share of the machine that others have used since then."""
    started, before = since
    ticks = (time.monotonic() - started) * TICKS * (os.cpu_count() or 1)
    return max(_others_ticks() - before, 0.0) / max(ticks, 1.0)


def undisturbed(run: Callable[[], T]) -> T:
    """Measure, repeatedly while other programs interfere; return the least disturbed result. A run takes half a second or more."""
    global _disturbed, _waited_s
    tries: list[tuple[float, T]] = []
    while True:
        since = (time.monotonic(), _others_ticks())
        found = run()
        tries.append((_disturbance(since), found))
        if tries[-1][0] <= MOST_DISTURBANCE:
            return found
        if len(tries) == TRIES or _waited_s > PATIENCE_S:
            _disturbed += 1
            return min(tries, key=lambda each: each[0])[1]
        time.sleep(_RETRY_AFTER_S)
        _waited_s += time.monotonic() - since[0]


# ---------------------------------------------------------------- RESP


def encode(*args: bytes) -> bytes:
    """A command as RESP."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def receive(sock: socket.socket, size: int, like: bytes = b"") -> bytearray:
    """Exactly ``size`` bytes from a socket.

    Raises ConnectionError if it closes first, and RuntimeError if the first bytes are not as expected: an error may be
    shorter, and the rest would never come.
    """
    data = bytearray(size)
    view = memoryview(data)
    count = sock.recv_into(view)
    if like and not like.startswith(data[:count]):
        raise RuntimeError(f"{like[:40]!r} was awaited, {bytes(data[: min(count, 200)])!r} came")
    while count < size:
        more = sock.recv_into(view[count:])
        if not more:
            raise ConnectionError("closed by the server")
        count += more
    return data


def expect(sock: socket.socket, request: bytes, reply: bytes) -> None:
    """Send a request and read its expected reply. Raises RuntimeError on another one."""
    sock.sendall(request)
    found = sock.recv(len(reply))
    # A different reply may be shorter (an error), so more is awaited only while it matches.
    while reply.startswith(found) and len(found) < len(reply):
        more = sock.recv(len(reply) - len(found))
        if not more:
            raise ConnectionError("closed by the server")
        found += more
    if found != reply:
        raise RuntimeError(f"{request[:40]!r} was answered with {found[:200]!r}")


# ---------------------------------------------------------------- a running server


@dataclass(slots=True)
class Server:
    """A server process that has been checked to be the one on its port."""

    name: str
    port: int
    http_port: int
    pid: int
    tls_port: int = 0  # where clients are to use TLS, with these options of redis-benchmark
    client_options: tuple[str, ...] = ()

    def connect(self) -> socket.socket:
        """A connection to the data port."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def cpu_seconds(self) -> float:
        """Processor time that the process has used, user and system; in units of the kernel's tick."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Memory of the process in RAM."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def info(self, section: str) -> dict[str, str]:
        """The fields of a section of INFO."""
        with self.connect() as sock:
            sock.sendall(encode(b"INFO", section.encode()))
            head = b""
            while not head.endswith(b"\r\n"):
                head += receive(sock, 1)
            if not head.startswith(b"$"):
                raise RuntimeError(f"INFO {section}: {head.decode().strip()}")
            text = receive(sock, int(head[1:])).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def check_identity(self) -> None:
        """Raise unless the server on the port is the process that was started."""
        found = int(self.info("server")["process_id"])
        if found != self.pid:
            raise RuntimeError(f"the server on port {self.port} is process {found}, not {self.pid}")

    def error_replies(self) -> int:
        """How many error replies the server has sent since it started."""
        return int(self.info("stats")["total_error_replies"])

    def flush(self) -> None:
        """Empty the server."""
        with self.connect() as sock:
            expect(sock, encode(b"FLUSHALL"), b"+OK\r\n")

    def fill(self, prefix: bytes, count: int, value: bytes) -> None:
        """Set the keys that redis-benchmark draws from, ``prefix`` and twelve digits, all to one value."""
        with self.connect() as sock:
            for first in range(0, count, 1000):
                numbers = range(first, min(first + 1000, count))
                words = [word for n in numbers for word in (prefix + b"%012d" % n, value)]
                expect(sock, encode(b"MSET", *words), b"+OK\r\n")


def _await_ping(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers PING. Raises RuntimeError when it ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{server.name} ended while it started")
        try:
            with server.connect() as sock:
                expect(sock, encode(b"PING"), b"+PONG\r\n")
                return
        except (ConnectionError, RuntimeError):  # not listening yet, or still loading
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def started(
    name: str,
    argv: list[str],
    build: str = "",
    prepare: Callable[[Path], None] = lambda folder: None,
    environment: Mapping[str, str] = {},
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A server process in a folder of its own, with its log file; ended and cleaned up at the end.

    ``prepare`` adds files to the folder first; ``environment`` is added to that of this process.
    """
    folder = Path(tempfile.mkdtemp(prefix="januskv-bench-"))
    # A file, not a pipe: a server that logs much must not wait for a reader.
    log = folder / "log"
    surroundings = os.environ | {"JANUSKV_PURE": "1" if build == "plain" else "0"} | {**environment}
    process = None
    try:
        prepare(folder)
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv, stdout=out, stderr=out, cwd=folder, env=surroundings, preexec_fn=pin_to_server_core
            )
        _running.add(process.pid)
        yield process, log
    except Exception as error:
        if process is not None and process.poll() is not None:
            error.add_note(f"the end of {name}'s log: {log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        if process is not None:
            _running.discard(process.pid)
            _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate for localhost that has signed itself, with its key, in a folder."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Tls:
        """Make the files, with openssl."""
        made = cls(folder)
        argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        argv += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*argv, "-keyout", made.key, "-out", made.certificate], check=True, capture_output=True)
        return made

    @property
    def certificate(self) -> str:
        """The file of the certificate."""
        return str(self.folder / "tls.crt")

    @property
    def key(self) -> str:
        """The file of its key."""
        return str(self.folder / "tls.key")

    @property
    def server_options(self) -> list[str]:
        """What both servers are started with."""
        files = ["--tls-cert-file", self.certificate, "--tls-key-file", self.key, "--tls-ca-cert-file"]
        return [*files, self.certificate, "--tls-auth-clients", "no"]

    @property
    def client_options(self) -> tuple[str, ...]:
        """What redis-benchmark is started with."""
        return ("--tls", "--cacert", self.certificate)


@contextlib.contextmanager
def redis_server(*, logging: bool = False, tls: Tls | None = None) -> Iterator[Server]:
    """A redis-server without persistence, or with its log. Raises SystemExit where it is not installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        sys.exit("redis-server is not installed")
    port = free_port()
    argv = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "yes" if logging else "no",
    ]
    tls_port = 0 if tls is None else free_port()
    argv += [] if tls is None else ["--tls-port", str(tls_port), *tls.server_options]
    with started("redis-server", argv) as (process, _):
        server = Server("redis", port, 0, process.pid, tls_port, () if tls is None else tls.client_options)
        _await_ping(server, process)
        server.check_identity()
        yield server


@contextlib.contextmanager
def januskv(build: str = "compiled", *, logging: bool = False, tls: Tls | None = None) -> Iterator[Server]:
    """A JanusKV of the compiled or the plain build, without persistence or with its log, on ports that the kernel chooses.

    The build "before" is the compiled one of the directory that JANUSKV_BEFORE names.
    """
    environment = {}
    if build == "before":
        if "JANUSKV_BEFORE" not in os.environ:
            sys.exit(
                "the build 'before' needs JANUSKV_BEFORE, the directory of a tree with its compiled modules in place"
            )
        environment["PYTHONPATH"] = str(Path(os.environ["JANUSKV_BEFORE"]).resolve() / "src")
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1"]
    argv += [] if logging else ["--save", ""]
    argv += [] if tls is None else ["--tls-port", "-1", *tls.server_options]
    with started("januskv", argv, build, environment=environment) as (process, log):
        deadline = time.monotonic() + START_LIMIT_S
        while (ready := re.search(r"\((\w+), pid \d+\) ready: (.*)\n", log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("januskv did not start")
            time.sleep(0.02)
        if ready[1] != ("compiled" if build == "before" else build):
            raise RuntimeError(f"this is the {ready[1]} build, not the {build} one")
        port, http_port, *tls_ports = (int(text) for text in re.findall(r"127\.0\.0\.1:(\d+)", ready[2]))
        server = Server(build, port, http_port, process.pid)
        if tls is not None:
            server.tls_port, server.client_options = tls_ports[0], tls.client_options
        _await_ping(server, process)
        server.check_identity()
        yield server


def start(build: str, tls: Tls | None = None) -> contextlib.AbstractContextManager[Server]:
    """A server by its name on the command line, one of ``BUILDS``."""
    return redis_server(tls=tls) if build == "redis" else januskv(build, tls=tls)


# ---------------------------------------------------------------- what the scripts share


def _tool_folder() -> Path:
    """The folder of compiled programs and the lock; other users may not write there."""
    folder = Path(tempfile.gettempdir()) / f"januskv-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to another user")
    return folder


def compiled_tool(source: str) -> Path:
    """Compile a C program of benchmarks/load, once for each version of its source; return the path of the program."""
    code = HERE / "load" / source
    program = _tool_folder() / f"{code.stem}-{code.stat().st_mtime_ns}"
    if not program.exists():
        fresh = program.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-o", str(fresh), str(code)], check=True)
        fresh.rename(program)
    return program


def numbers(text: str) -> list[int]:
    """Type of an option that takes whole numbers separated by commas."""
    return [int(word) for word in text.split(",")]


def words(*known: str) -> Callable[[str], list[str]]:
    """Type of an option that takes words separated by commas; only known ones, if any are given."""

    def words_of(text: str) -> list[str]:
        found = text.split(",")
        unknown = [word for word in found if known and word not in known]
        if unknown:
            raise ValueError(f"{unknown} is none of {known}")
        return found

    words_of.__name__ = f"list of {', '.join(known)}" if known else "list"
    return words_of


def have_the_machine() -> None:
    """Begin: wait until no other of these scripts is measuring; have SIGTERM end the servers too, as an exception does."""
    global _lock, _begun
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    _lock = (_tool_folder() / "lock").open("w")
    try:
        fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another benchmark to end", file=sys.stderr, flush=True)
        fcntl.flock(_lock, fcntl.LOCK_EX)
    _begun = (time.monotonic(), _others_ticks())


def origin() -> str:
    """How a table was made, as two lines of Markdown: the command line; the machine, versions and disturbances."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    redis = re.search(r"v=(\S+)", subprocess.getoutput("redis-server --version"))
    disturbance = f"other programs took {_disturbance(_begun):.0%} of the machine"
    if _disturbed:
        disturbance += f" and disturbed {_disturbed} of the runs that count"
    facts = [
        model[1] if model is not None else platform.machine(),
        f"{len(_CORES)} cores, server on one and client on another" if len(_CORES) >= 2 else "1 core",
        f"Python {platform.python_version()}",
        *([f"redis-server {redis[1]}"] if redis is not None else []),
        time.strftime("%Y-%m-%d"),
        disturbance,
    ]
    line = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return f"`{line}`  \n{'; '.join(facts)}.\n"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
