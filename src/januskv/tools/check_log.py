"""``januskv check-log``: describes a data directory and whether a server would start on it; repairs it."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections import Counter
from collections.abc import Sequence

from januskv.storage.durability.checking import Findings, ReadOnly, examine
from januskv.storage.durability.generations import Directory, DirectoryTaken
from januskv.storage.durability.records import LOG
from januskv.storage.durability.repairing import NoRepair, Repair, plan, repair
from januskv.storage.store import Store

CLEAN, DAMAGED, USAGE = 0, 1, 2

_EPILOG = """\
exit status: 0 no damage, or repaired; 1 damage or an unfinished last record; 2 the directory
cannot be examined, or the options are wrong.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="januskv check-log",
        description="Describes a data directory: its contents, any damage, and whether a server would start on it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("dir", metavar="DIR", help="the data directory, see the server's --dir")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="cut an unfinished record off; for other damage, cut there and give up the rest, after asking."
        " What is cut is kept in FILE.cut-OFFSET",
    )
    parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")
    parser.add_argument(
        "--databases",
        type=int,
        default=16,
        metavar="N",
        help="number of databases of the server that is to start on it (default: 16)",
    )
    return parser


def describe(found: Findings) -> list[str]:
    """The findings as lines of text."""
    lines = [f"{found.folder}:"]
    if found.manifest is not None:
        manifest = found.manifest
        names = ", ".join(manifest.segments)
        lines.append(f"  manifest: data set {manifest.data_set.hex()}, base {manifest.base or 'none yet'}, log {names}")
    elif found.fresh:
        lines.append("  no manifest: a server begins with no data here")
    for each in found.files:
        what = "segment" if each.kind == LOG else "base"
        if each.first_seq == 0:
            lines.append(f"  {each.name}: {what}, {each.size} bytes, cannot be read")
            continue
        numbers = f"records {each.first_seq} to {each.last_seq}" if each.records else "no records"
        lines.append(f"  {each.name}: {what}, {each.size} bytes, {numbers}, the last whole one ends at {each.end}")
        if each.records:
            lines.append(f"    records: {_counted(each.records)}; operations: {_counted(each.operations)}")
        if each.allocated:
            lines.append(f"    {each.allocated} zeros behind them, allocated ahead")
        if each.torn is not None:
            torn = each.torn
            lines.append(
                f"    unfinished end: {torn.reason} at offset {torn.offset}, {torn.bytes_lost} bytes are not a record"
            )
        if each.later:
            lines.append(f"    {each.later} whole records stand behind the damage")
    for problem in found.problems:
        lines.append(f"  DAMAGED: {problem.file}, offset {problem.offset}: {problem.reason}")
    if found.leftovers:
        lines.append(f"  left over, a start removes them: {', '.join(found.leftovers)}")
    if found.cut_files:
        lines.append(f"  cut off by repairs: {', '.join(found.cut_files)}")
    return [*lines, verdict(found)]


def _counted(numbers: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(numbers.items())) or "none"


def verdict(found: Findings) -> str:
    """Whether a server would start, and with what."""
    if not found.starts:
        return "a server would refuse to start"
    held = f"{found.keys} keys, {found.sessions} sessions, next record {found.next_seq}"
    if found.torn is not None:
        return f"a server would cut the unfinished end and start ('log-load-truncated no': refuse): {held}"
    return f"a server would start: {held}"


def explain(todo: Repair) -> list[str]:
    """What a repair loses."""
    lines = []
    for name, offset in todo.cuts:
        lines.append(f"  {name}: " + (f"everything from offset {offset} on" if offset else "the whole file"))
    if todo.new_base:
        lines.append("  what can be read of the snapshot is written as a new one; all changes after it are given up")
    if todo.new_manifest is not None:
        base = todo.new_manifest.base or "none"
        lines.append(f"  a new manifest: base {base}, log {', '.join(todo.new_manifest.segments)}")
    return lines


def in_use(path: str) -> bool:
    """Whether a server holds the directory's lock. Raises OSError."""
    try:
        lock = os.open(os.path.join(path, "lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _agreed(todo: Repair, *, asked: bool) -> bool:
    """Whether the user agrees to the repair; an unfinished end is cut without asking, as at a start."""
    print("the repair gives up (and keeps in side files):" if todo.cuts else "the repair:")
    print("\n".join(explain(todo)))
    if not asked:
        return True
    if not sys.stdin.isatty():
        print("not repaired: say --yes to do this", file=sys.stderr)
        return False
    return input("do it? [y/N] ").strip().lower() in ("y", "yes")


def fix(path: str, databases: int, *, sure: bool) -> int:
    """Repair a directory until it is undamaged. Returns the exit status. Raises DirectoryTaken, OSError."""
    directory = Directory(path)
    try:
        while True:
            found = examine(directory, Store(databases))
            print("\n".join(describe(found)))
            try:
                todo = plan(directory, found, databases)
            except NoRepair as error:
                print(f"cannot be repaired: {error}", file=sys.stderr)
                return DAMAGED
            if todo is None:
                return CLEAN
            if not _agreed(todo, asked=bool(found.problems) and not sure):
                return DAMAGED
            sides = repair(directory, found, todo, databases)
            print(f"repaired; what was cut is in {', '.join(sides)}" if sides else "repaired")
    finally:
        directory.close()


def main(words: Sequence[str]) -> int:
    """Run the tool. Returns the exit status."""
    given = build_parser().parse_args(words)
    try:
        directory = ReadOnly(given.dir)
        if given.fix:
            return fix(given.dir, given.databases, sure=given.yes)
        if in_use(given.dir):
            print("a server uses the directory: what it writes just now may look unfinished", file=sys.stderr)
        found = examine(directory, Store(given.databases))
    except DirectoryTaken as error:
        print(f"januskv check-log: {error}; nothing was changed", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"januskv check-log: {given.dir}: {error.strerror or error}", file=sys.stderr)
        return USAGE
    print("\n".join(describe(found)))
    return CLEAN if found.starts and found.torn is None else DAMAGED
