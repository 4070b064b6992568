"""The command table of the server: all families of all faces, listed by name."""

from __future__ import annotations

from januskv.commands import exports, keyvalues, sessions, timeseries
from januskv.commands.table import CommandTable, Family

from .native import saves, service
from .redis import (
    acl_verbs,
    bitmaps,
    client_verbs,
    cluster_verbs,
    command_verbs,
    connection_verbs,
    debug_verbs,
    function_verbs,
    geo,
    hash_expiry,
    hashes,
    hyperloglog_verbs,
    info,
    keys,
    latency_verbs,
    list_blocking,
    lists,
    memory_verbs,
    pubsub_verbs,
    script_verbs,
    server_verbs,
    sets,
    sort,
    sorted_set_algebra,
    sorted_set_blocking,
    sorted_sets,
    stream_groups,
    stream_info,
    streams,
    strings,
    timeseries_verbs,
    transactions,
    wait_verbs,
)

FAMILIES: tuple[Family, ...] = (
    connection_verbs.verbs,
    client_verbs.verbs,
    keys.verbs,
    strings.verbs,
    bitmaps.verbs,
    hyperloglog_verbs.verbs,
    hashes.verbs,
    hash_expiry.verbs,
    lists.verbs,
    list_blocking.verbs,
    sets.verbs,
    sort.verbs,
    sorted_sets.verbs,
    sorted_set_algebra.verbs,
    sorted_set_blocking.verbs,
    geo.verbs,
    timeseries_verbs.verbs,
    streams.verbs,
    stream_groups.verbs,
    stream_info.verbs,
    transactions.verbs,
    script_verbs.verbs,
    function_verbs.verbs,
    wait_verbs.verbs,
    pubsub_verbs.verbs,
    server_verbs.verbs,
    acl_verbs.verbs,
    cluster_verbs.verbs,
    latency_verbs.verbs,
    memory_verbs.verbs,
    info.verbs,
    command_verbs.verbs,
    debug_verbs.verbs,
    keyvalues.commands,
    sessions.commands,
    exports.commands,
    saves.commands,
    saves.series_commands,
    timeseries.commands,
    service.commands,
)


def build_table() -> CommandTable:
    """Put the families together. Raises DeclarationError where two of them contradict each other."""
    return CommandTable(FAMILIES)
