"""Record the replies of redis-server to all transcripts: ``PYTHONPATH=. python -m tests.transcripts.record [name ...]``.

It needs redis-server 7.0.15 on this machine, which is started on a port of the kernel's choice.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby

from tests.conftest import redis_process, words

from .reading import PROTOCOLS, RECORDED, Case, Speaker, cases, empty, shown

VERSION = "7.0.15"


def replies(port: int, case: Case, protocol: int) -> list[list[str]]:
    """Each line that redis-server gets, with its reply."""
    speaker = Speaker(port, protocol)
    try:
        empty(speaker)
        found = []
        for line in case.lines:
            if line.only != "janus":
                argv = words(line.command)
                found.append([shown(line.client, argv), speaker.ask(line.client, argv)[0].decode("latin-1")])
        return found
    finally:
        speaker.close()


def main(names: list[str]) -> int:
    """Write the recordings, of all transcripts or of those that are named; returns the exit status."""
    RECORDED.mkdir(exist_ok=True)
    with redis_process("--enable-debug-command", "yes") as server:
        asked = Speaker(server.port, 2)
        info = asked.ask(1, [b"INFO", b"server"])[0].decode()
        asked.close()
        version = re.search(r"redis_version:(\S+)", info)
        if version is None or version[1] != VERSION:
            print(f"the recordings are those of redis-server {VERSION}", file=sys.stderr)
            return 1
        for stem, of_file in groupby(cases(), key=lambda case: case.stem):
            if not names or stem in names:
                made = {case.title: {p: replies(server.port, case, p) for p in PROTOCOLS} for case in of_file}
                text = json.dumps({"server": f"redis-server {VERSION}", "cases": made}, indent=0)
                (RECORDED / f"{stem}.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
