"""Usage lines become the arguments of COMMAND DOCS, and nothing of them is lost on the way."""

from __future__ import annotations

import pytest

from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.compat.redis.usage import Argument, arguments_of


def written(argument: Argument, *, token: bool = True) -> str:
    """An argument as a usage line again."""
    if argument.kind == "oneof":
        text = " | ".join(written(part) for part in argument.parts)
        text = text if argument.optional and argument.token is None else f"<{text}>"
    elif argument.kind == "block":
        text = " ".join(written(part) for part in argument.parts)
    else:
        text = "" if argument.kind == "pure-token" else argument.name
    bare = text
    if argument.token is not None and token:
        text = f"{argument.token} {text}".strip()
    if argument.multiple:
        text += f" [{text if argument.multiple_token else bare} ...]"
    return f"[{text}]" if argument.optional else text


def line_of(usage: str) -> str:
    return " ".join(map(written, arguments_of(usage)))


@pytest.mark.parametrize(
    "arguments",
    [
        "key",
        "key [key ...]",
        "key value [key value ...]",
        "[message]",
        "[event [event ...]]",
        "<ON | OFF>",
        "key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]",
        "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        "[protover [AUTH username password] [SETNAME clientname]]",
        "path [CONFIG name value [CONFIG name value ...]] [ARGS arg [arg ...]]",
        "[TYPE <A | B>] [ID client-id [client-id ...]]",
        "key [LIMIT offset count] [ASC | DESC]",
        "[COUNT count] STREAMS key [key ...] id [id ...]",
        "<address | [ID number] [TYPE type]>",
    ],
)
def test_there_and_back(arguments: str) -> None:
    assert line_of(f"VERB {arguments}") == arguments


def test_a_token_and_its_value_are_one_argument() -> None:
    (argument,) = arguments_of("VERB [EX seconds]")
    assert (argument.name, argument.kind, argument.token, argument.optional) == ("seconds", "integer", "EX", True)


def test_a_token_and_several_values_are_a_block() -> None:
    (argument,) = arguments_of("VERB [LIMIT offset count]")
    assert (argument.kind, argument.token, [part.name for part in argument.parts]) == (
        "block",
        "LIMIT",
        ["offset", "count"],
    )


def test_keys_name_their_specs() -> None:
    arguments = arguments_of("RENAME key newkey", key_specs=2)
    assert [argument.key_spec for argument in arguments] == [0, 1]
    arguments = arguments_of("LCS key1 key2", key_specs=1)
    assert [argument.key_spec for argument in arguments] == [0, 0]


VERBS = [command for command in build_table().everything() if command.params is None and not command.subcommands]


@pytest.mark.parametrize("command", VERBS, ids=lambda command: command.text_name)
def test_every_usage_line_begins_with_the_name_and_is_read_whole(command: Command) -> None:
    name = command.name.replace("|", " ")
    usage = command.manual.usage
    assert usage == name or usage.startswith(f"{name} ")
    arguments = arguments_of(usage, name.count(" ") + 1, len(command.options.keys))
    found = " ".join(map(written, arguments))
    rest = usage[len(name) :].strip()
    assert found in (
        rest,
        rest.replace("[arg ...]", "[arg [arg ...]]").replace("[option ...]", "[option [option ...]]"),
    )
    least = sum(not argument.optional for argument in arguments)
    assert least <= command.min_args - 1 - command.name.count("|") or command.min_args == 1
