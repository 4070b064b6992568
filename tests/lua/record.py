"""Record what redis-server replies to ``scripts.txt``: ``PYTHONPATH=. python -m tests.lua.record``."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.conftest import redis_process

from januskv.resp.decoder import ReplyReader

FOLDER = Path(__file__).parent
SCRIPTS = FOLDER / "scripts.txt"
RECORDED = FOLDER / "recorded.json"


class Speaker:
    """A plain connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._reader = ReplyReader()

    def ask(self, *argv: bytes) -> bytes:
        """The bytes of a reply."""
        parts = [b"$%d\r\n%b\r\n" % (len(each), each) for each in argv]
        self._socket.sendall(b"*%d\r\n%b" % (len(argv), b"".join(parts)))
        while (reply := self._reader.gets()) is None:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("closed")
            self._reader.feed(data)
        return reply[0]

    def close(self) -> None:
        self._socket.close()


def scripts() -> list[str]:
    """One script a line."""
    return SCRIPTS.read_text().splitlines()


def main() -> None:
    """Write the recording."""
    with redis_process() as server:
        speaker = Speaker(server.port)
        found = {each: speaker.ask(b"EVAL", each.encode(), b"0").decode("latin-1") for each in scripts()}
        speaker.close()
    RECORDED.write_text("".join(("[\n", ",\n".join(json.dumps([*pair]) for pair in found.items()), "\n]\n")))


if __name__ == "__main__":
    main()
