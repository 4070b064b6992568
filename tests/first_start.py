"""Start an installed ``januskv`` for the first time, use it, and end it: first_start.py COMMAND compiled|plain.

Fails unless that build runs, says so, and serves; prints how long it took and the memory it has then.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time


def main() -> int:
    """Returns the exit status."""
    command, build = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        options = ["--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1"]
        process = subprocess.Popen([command, *options], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines: list[str] = []
        while " ready: " not in "".join(lines[-1:]):
            lines.append(process.stdout.readline())
            assert lines[-1], f"the server ended before it was ready: {lines}"
        seconds = time.monotonic() - started
        assert f"({build}, " in lines[-1], lines
        assert (build == "plain") == any("running as plain Python" in line for line in lines), lines
        port = int(lines[-1].split("127.0.0.1:")[1].split(",")[0])
        with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as replies:
            sock.sendall(b'SET a 1\r\nINCR a\r\n{"KV_GET":{"keys":["a"]}}\n')
            found = [replies.readline() for _ in range(3)]
        assert found == [b"+OK\r\n", b":2\r\n", b'{"KV_GET_RSP":{"st":1,"keys":{"a":"2"}}}\n'], found
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(30) == 0
    print(f"{build} build: ready after {seconds:.2f} s, {resident / 1024:.0f} MB resident")
    return 0


if __name__ == "__main__":
    sys.exit(main())
