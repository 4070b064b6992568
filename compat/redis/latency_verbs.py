"""LATENCY: events that took longer than latency-monitor-threshold, and how long calls take."""

from __future__ import annotations

import time

from januskv.commands.declare import Flag
from januskv.commands.table import Command, Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.latencies import table_us
from januskv.compat.server.statistics import LatencyEvent
from januskv.resp.replies import Reply, Verbatim

from .help import help_lines

verbs = Family("server")

_FLAGS = Flag.LOADING | Flag.STALE | Flag.ADMIN | Flag.NOSCRIPT
_EACH_NODE = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")

_GRAPH_WIDTH = 80


def _events(ctx: ServerContext) -> dict[str, LatencyEvent]:
    events = ctx.server.accounts.latency
    return events.by_kind


@verbs.verb("LATENCY", arity=-2, since="2.8.13")
def latency_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY

    A container for commands about events that took long.
    """
    raise AssertionError("a container is never run")


@verbs.verb("LATENCY|LATEST", arity=2, flags=_FLAGS, since="2.8.13", hints=_EACH_NODE)
def latency_latest(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY LATEST

    Returns the time and duration of the latest event of every kind, and the longest duration since LATENCY RESET.

    Cost: O(1)
    """
    return [[kind, *event.samples[-1], event.longest_ms] for kind, event in _events(ctx).items()]


@verbs.verb("LATENCY|HISTORY", arity=3, flags=_FLAGS, since="2.8.13", hints=_EACH_NODE)
def latency_history(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY HISTORY event

    Returns times and durations of one kind of event.

    Cost: O(1)
    """
    event = _events(ctx).get(argv[2].decode(errors="replace"))
    return [] if event is None else [[second, ms] for second, ms in event.samples]


@verbs.verb(
    "LATENCY|RESET",
    arity=-2,
    flags=_FLAGS,
    since="2.8.13",
    hints=("request_policy:all_nodes", "response_policy:agg_sum"),
)
def latency_reset(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY RESET [event [event ...]]

    Forgets some or all kinds of events; returns how many there were.

    Cost: O(1)
    """
    events = _events(ctx)
    kinds = [kind.decode(errors="replace") for kind in argv[2:]] if len(argv) > 2 else list(events)
    return sum(events.pop(kind, None) is not None for kind in kinds)


@verbs.verb("LATENCY|GRAPH", arity=3, flags=_FLAGS, since="2.8.13", hints=_EACH_NODE)
def latency_graph(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY GRAPH event

    Draws the durations of one kind of event over time.

    Cost: O(1)
    """
    kind = argv[2].decode(errors="replace")
    event = _events(ctx).get(kind)
    if event is None:
        raise RespError(f"ERR No samples available for event '{kind}'")
    return Verbatim(b"txt", draw(kind, event, int(time.time())).encode())


def draw(kind: str, event: LatencyEvent, now_s: int) -> str:
    """The newest samples as columns of a bar chart, oldest on the left, each with its age below."""
    samples = list(event.samples)[-_GRAPH_WIDTH:]
    most, least = max(ms for _, ms in samples), min(ms for _, ms in samples)
    rows = 4
    heights = [1 + (rows - 1) * (ms - least) // max(most - least, 1) for _, ms in samples]
    lines = [f"{kind} - high {most} ms, low {least} ms (all time high {event.longest_ms} ms)", "-" * _GRAPH_WIDTH]
    lines += ["".join("#" if height >= row else " " for height in heights) for row in range(rows, 0, -1)]
    lines.append("")
    ages = [_age(now_s - second) for second, _ in samples]
    longest = max(map(len, ages))
    lines += ["".join(age[i] if i < len(age) else " " for age in ages) for i in range(longest)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _age(seconds: int) -> str:
    """How long ago in one number and unit: 9s, 3m, 5h, 2d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


@verbs.verb("LATENCY|DOCTOR", arity=2, flags=_FLAGS, since="2.8.13", hints=_EACH_NODE)
def latency_doctor(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY DOCTOR

    Describes in words what the events show.

    Cost: O(1)
    """
    threshold = ctx.server.config.latency_monitor_threshold
    events = _events(ctx)
    if not threshold:
        text = "Events are not noted: set latency-monitor-threshold to the milliseconds from which they should be."
    elif not events:
        text = f"No event has taken {threshold} ms or more."
    else:
        text = "\n".join(
            f"{kind}: {len(event.samples)} noted, longest {event.longest_ms} ms. SLOWLOG GET names the slow commands."
            for kind, event in events.items()
        )
    return Verbatim(b"txt", text.encode())


@verbs.verb("LATENCY|HISTOGRAM", arity=-2, flags=_FLAGS, since="7.0.0", hints=_EACH_NODE)
def latency_histogram(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY HISTOGRAM [command [command ...]]

    Returns how many calls of each command took at most 1, 2, 4 … microseconds.

    Cost: O(N) with N commands

    Note: quick commands that arrive in one batch share its time evenly; slow ones are timed individually.
    """
    table = ctx.server.table
    chosen = list(table.everything())
    if len(argv) > 2:
        named = [table.commands.get(name.upper()) for name in argv[2:]]
        chosen = [each for command in named if command is not None for each in with_subcommands(command)]
    return {
        command.text_name: {"calls": command.calls, "histogram_usec": dict(table_us(command.times))}
        for command in chosen
        if command.times is not None
    }


def with_subcommands(command: Command) -> list[Command]:
    """A command and, if it is a container, its subcommands."""
    return [command, *(command.subcommands or {}).values()]


@verbs.verb("LATENCY|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="2.8.13")
def latency_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LATENCY HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "LATENCY")
