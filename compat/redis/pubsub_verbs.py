"""Pub/Sub commands."""

from __future__ import annotations

from januskv.commands.declare import ChannelSpec, Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.subscriptions import CHANNELS, PATTERNS, SHARDS
from januskv.resp.replies import Push, Reply, Several
from januskv.storage.glob import matcher

from .help import help_lines, wrong_form

verbs = Family("pubsub")

_LISTEN = Flag.PUBSUB | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.SUBSCRIBED | Flag.CONNECTION
_TELL = Flag.PUBSUB | Flag.LOADING | Flag.STALE | Flag.FAST | Flag.MAY_REPLICATE
_SHARD_KEYS = key("not_key", last=-1)
_ASK = Flag.PUBSUB | Flag.LOADING | Flag.STALE


def confirmations(word: str, counts: list[tuple[bytes | None, int]]) -> Reply:
    """One message for each name: subscribe, name, and how many subscriptions there are."""
    messages = [Push([word.encode(), name, count]) for name, count in counts]
    if len(messages) == 1:
        return messages[0]
    return Several(messages)


def subscribe(ctx: ServerContext, argv: list[bytes], kind: str) -> Reply:
    """SUBSCRIBE, PSUBSCRIBE and SSUBSCRIBE."""
    client = ctx.connected
    counts = [(name, ctx.server.pubsub.subscribe(client, kind, name)) for name in argv[1:]]
    client.refresh()
    return confirmations(f"{kind}subscribe", list(counts))


def unsubscribe(ctx: ServerContext, argv: list[bytes], kind: str) -> Reply:
    """UNSUBSCRIBE, PUNSUBSCRIBE and SUNSUBSCRIBE; without names, from all."""
    client = ctx.connected
    pubsub = ctx.server.pubsub
    subscriptions = client.subscriptions
    names = argv[1:] or ([] if subscriptions is None else list(subscriptions.of(kind)))
    counts: list[tuple[bytes | None, int]] = [(name, pubsub.unsubscribe(client, kind, name)) for name in names]
    if not counts:
        counts = [(None, 0 if subscriptions is None else subscriptions.count(kind))]
    client.refresh()
    return confirmations(f"{kind}unsubscribe", counts)


@verbs.verb("SUBSCRIBE", arity=-2, flags=_LISTEN, channels=ChannelSpec(), since="2.0.0")
def subscribe_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SUBSCRIBE channel [channel ...]

    Listens for messages published to channels.

    Cost: O(N) with N channels
    """
    return subscribe(ctx, argv, CHANNELS)


@verbs.verb("UNSUBSCRIBE", arity=-1, flags=_LISTEN, since="2.0.0")
def unsubscribe_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """UNSUBSCRIBE [channel [channel ...]]

    Stops listening to messages posted to channels, to all of them if none is named.

    Cost: O(N) with N channels
    """
    return unsubscribe(ctx, argv, CHANNELS)


@verbs.verb("PSUBSCRIBE", arity=-2, flags=_LISTEN, channels=ChannelSpec(patterns=True), since="2.0.0")
def psubscribe(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PSUBSCRIBE pattern [pattern ...]

    Listens for messages published to channels that match one or more patterns.

    Cost: O(N) with N patterns
    """
    return subscribe(ctx, argv, PATTERNS)


@verbs.verb("PUNSUBSCRIBE", arity=-1, flags=_LISTEN, since="2.0.0")
def punsubscribe(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUNSUBSCRIBE [pattern [pattern ...]]

    Stops listening to messages published to channels that match patterns, all of them if none is named.

    Cost: O(N) with N patterns
    """
    return unsubscribe(ctx, argv, PATTERNS)


@verbs.verb("SSUBSCRIBE", arity=-2, flags=_LISTEN, keys=_SHARD_KEYS, channels=ChannelSpec(), since="7.0.0")
def ssubscribe(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SSUBSCRIBE shardchannel [shardchannel ...]

    Listens for messages published to shard channels.

    Cost: O(N) with N shard channels
    """
    return subscribe(ctx, argv, SHARDS)


@verbs.verb("SUNSUBSCRIBE", arity=-1, flags=_LISTEN, keys=_SHARD_KEYS, since="7.0.0")
def sunsubscribe(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SUNSUBSCRIBE [shardchannel [shardchannel ...]]

    Stops listening to messages posted to shard channels, to all of them if none is named.

    Cost: O(N) with N shard channels
    """
    return unsubscribe(ctx, argv, SHARDS)


@verbs.verb("PUBLISH", arity=3, flags=_TELL, channels=ChannelSpec(several=False), since="2.0.0")
def publish(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBLISH channel message

    Posts a message to a channel; returns how many subscriptions it reached.

    Cost: O(N+M) with N subscribers of the channel and M patterns
    """
    return ctx.server.pubsub.publish(argv[1], argv[2])


@verbs.verb("SPUBLISH", arity=3, flags=_TELL, keys=key("not_key"), channels=ChannelSpec(several=False), since="7.0.0")
def spublish(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SPUBLISH shardchannel message

    Posts a message to a shard channel; returns how many clients it reached.

    Cost: O(N) with N subscribers of the shard channel
    """
    return ctx.server.pubsub.publish_shard(argv[1], argv[2])


# ---------------------------------------------------------------- PUBSUB


@verbs.verb("PUBSUB", arity=-2, since="2.8.0")
def pubsub(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB

    A container for commands about Pub/Sub.
    """
    raise AssertionError("a container is never run")


def _names(ctx: ServerContext, argv: list[bytes], kind: str) -> Reply:
    names = ctx.server.pubsub.of(kind)
    if len(argv) > 3:
        raise wrong_form(argv)
    if len(argv) == 2:
        return list(names)
    return list(filter(matcher(argv[2]), names))


def _numbers(ctx: ServerContext, argv: list[bytes], kind: str) -> Reply:
    names = ctx.server.pubsub.of(kind)
    return [part for name in argv[2:] for part in (name, len(names.get(name, ())))]


@verbs.verb("PUBSUB|CHANNELS", arity=-2, flags=_ASK, since="2.8.0")
def pubsub_channels(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB CHANNELS [pattern]

    Returns the channels with subscribers.

    Cost: O(N) with N channels
    """
    return _names(ctx, argv, CHANNELS)


@verbs.verb("PUBSUB|NUMPAT", arity=2, flags=_ASK, since="2.8.0")
def pubsub_numpat(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB NUMPAT

    Returns a count of unique pattern subscriptions.

    Cost: O(1)
    """
    return len(ctx.server.pubsub.patterns)


@verbs.verb("PUBSUB|NUMSUB", arity=-2, flags=_ASK, since="2.8.0")
def pubsub_numsub(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB NUMSUB [channel [channel ...]]

    Returns a count of subscribers to channels.

    Cost: O(N) with N channels asked for
    """
    return _numbers(ctx, argv, CHANNELS)


@verbs.verb("PUBSUB|SHARDCHANNELS", arity=-2, flags=_ASK, since="7.0.0")
def pubsub_shardchannels(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB SHARDCHANNELS [pattern]

    Returns the shard channels with subscribers.

    Cost: O(N) with N shard channels
    """
    return _names(ctx, argv, SHARDS)


@verbs.verb("PUBSUB|SHARDNUMSUB", arity=-2, flags=_ASK, since="7.0.0")
def pubsub_shardnumsub(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]

    Returns a count of subscribers to shard channels.

    Cost: O(N) with N shard channels asked for
    """
    return _numbers(ctx, argv, SHARDS)


@verbs.verb("PUBSUB|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="6.2.0")
def pubsub_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PUBSUB HELP

    Lists the subcommands.

    Cost: O(1)
    """
    return help_lines(ctx.server.table, "PUBSUB")
