"""Detects the data of redis-server in a directory, which this server does not load by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

_RDB_MAGIC = b"REDIS"


def hints(folders: Iterable[str]) -> Iterator[str]:
    """Yield a hint for each file of redis-server in some directories, with how to import it."""
    for folder in dict.fromkeys(Path(each).resolve() for each in folders):
        snapshot = folder / "dump.rdb"
        if _begins(snapshot, _RDB_MAGIC):
            yield (
                f"{snapshot} is a snapshot of redis-server, which is not read: start redis-server on it, copy its keys with"
                " 'januskv export' and 'januskv import' (docs/migrate.md)"
            )
        for files in (folder / "appendonlydir", folder / "appendonly.aof"):
            if any(files.glob("*.manifest")) or _begins(files, b"*", _RDB_MAGIC):
                yield (
                    f"{files} is the log of redis-server, which is not read at the start: 'januskv import {files}' brings it in"
                    " (docs/migrate.md)"
                )


def _begins(path: Path, *magics: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_RDB_MAGIC)).startswith(magics)
    except OSError:  # the file does not exist, or is not readable
        return False
