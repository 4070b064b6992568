"""Servers to measure: started on free ports, pinned to one core, ended by their pids.

Where the machine has two cores or more, servers run on core 0 and the clients on core 1.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SERVER_CORE, CLIENT_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


def has_two_cores() -> bool:
    """Whether server and client can have a core each."""
    return len(os.sched_getaffinity(0)) >= 2


def pin(core: int) -> None:
    """Keep this process on a core, if there are two."""
    if has_two_cores():
        os.sched_setaffinity(0, {core})


def on_client_core() -> list[str]:
    """What to put before a client's command line so that it runs on the clients' core."""
    return ["taskset", "-c", str(CLIENT_CORE)] if has_two_cores() and shutil.which("taskset") else []


@dataclass(slots=True)
class Server:
    """A server process that has been checked to be the one on its port."""

    name: str
    port: int
    http_port: int
    pid: int

    def connect(self) -> socket.socket:
        """A connection to the data port."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def cpu_seconds(self) -> float:
        """Processor time that the process has used, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self) -> int:
        """Memory of the process in RAM."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def check_identity(self) -> None:
        """Raise unless the server on the port is the process that was started."""
        with self.connect() as sock:
            sock.sendall(b"INFO server\r\n")
            text = b""
            while b"process_id:" not in text or b"\n" not in text.split(b"process_id:")[1]:
                text += sock.recv(65536)
        found = int(text.split(b"process_id:")[1].split(b"\r\n")[0])
        if found != self.pid:
            raise RuntimeError(f"the server on port {self.port} is process {found}, not {self.pid}")

    def flush(self) -> None:
        """Empty the server."""
        with self.connect() as sock:
            sock.sendall(b"FLUSHALL\r\n")
            sock.recv(64)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def redis_server() -> Iterator[Server | None]:
    """A redis-server without persistence; None where it is not installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="januskv-bench-")
    argv = [binary, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, preexec_fn=lambda: pin(SERVER_CORE))
    assert process.stdout is not None
    try:
        while b"Ready to accept" not in process.stdout.readline():
            if process.poll() is not None:
                raise RuntimeError("redis-server did not start")
        server = Server("redis", port, 0, process.pid)
        server.check_identity()
        yield server
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def januskv(build: str = "compiled") -> Iterator[Server]:
    """A JanusKV of the compiled or the plain build, on ports that the kernel chooses."""
    folder = tempfile.mkdtemp(prefix="januskv-bench-")
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1"]
    environment = os.environ | {"JANUSKV_PURE": "1" if build == "plain" else "0"}
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, cwd=folder, env=environment, preexec_fn=lambda: pin(SERVER_CORE)
    )
    assert process.stdout is not None
    try:
        line = ""
        while " ready: " not in line:
            line = process.stdout.readline().decode()
            if not line:
                raise RuntimeError("januskv did not start")
        if f"({build}," not in line:
            raise RuntimeError(f"this is not the {build} build: {line}")
        port, http_port = (int(part.split(",")[0].split()[0]) for part in line.split("127.0.0.1:")[1:3])
        server = Server(f"januskv {build}", port, http_port, process.pid)
        server.check_identity()
        yield server
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def compiled_tool(source: str) -> Path:
    """Compile a C program of benchmarks/load, once for each version of its source; the path of the program."""
    code = HERE / "load" / source
    folder = Path(tempfile.gettempdir()) / f"januskv-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    program = folder / f"{code.stem}-{code.stat().st_mtime_ns}"
    if not program.exists():
        subprocess.run(["cc", "-O2", "-Wall", "-o", str(program), str(code)], check=True)
    return program
