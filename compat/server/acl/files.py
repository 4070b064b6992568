"""Files of users: a line ``user NAME RULE ...`` for each, as redis-server reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from januskv.storage.durability.replacing import replace_file

from .rights import User
from .rules import BadRule, OpenBracket, RuleError, Rules, UnknownName, has_spaces, line_of, merged, text_of

_KEPT: Final = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class FileError(Exception):
    """A file of users cannot be used. The text names each line that is wrong, and shows no password."""


def read(rules: Rules, path: str, reserved: Iterable[str] = ()) -> dict[str, User]:
    """The users of a file. Raises FileError with all errors, in the words of ACL LOAD."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError as error:
        raise FileError(f"Error loading ACLs, opening file '{path}': {error.strerror}") from None
    users: dict[str, User] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        # Quotes mean nothing here, as to redis-server: they belong to patterns.
        if line := line.strip(b" \t\r\n"):
            wrong += _add(rules, users, line.split(b" "), path, number, reserved)
    if wrong:
        raise FileError("".join(wrong) + _KEPT)
    return users


def _add(
    rules: Rules, users: dict[str, User], words: list[bytes], path: str, number: int, reserved: Iterable[str]
) -> list[str]:
    """Make the user of a line; what is wrong with it."""
    where = f"{path}:{number}"
    if words[0] != b"user" or len(words) < 2:
        return [f"{where} should start with user keyword followed by the username. "]
    name = text_of(words[1])
    if has_spaces(words[1]) or name in reserved:
        return [f"'{where}: username '{name}' contains invalid characters. "]
    if name in users:
        return [f"WARNING: Duplicate user '{name}' found on line {number}. "]
    user = users[name] = rules.new_user(name)
    try:
        wanted = merged(words[2:])
    except OpenBracket:
        return [f"{where}: Unmatched parenthesis in selector definition."]
    wrong: list[str] = []
    told = False
    for rule in wanted:
        try:
            rules.apply(user, rule.strip(b"\t\r\n"))
        except UnknownName as error:
            # Such a rule is shown: it tells no secret.
            wrong.append(f"{where}: Error in applying operation '{text_of(rule)}': {error}. ")
        except RuleError as error:
            if not told:
                wrong.append(f"{where}: {error}. ")
            told = True
    rules.settle(user)
    return wrong


def write(path: str, users: Iterable[User]) -> None:
    """Write users to a file, which is replaced as a whole. Raises OSError."""
    replace_file(path, b"".join(line_of(user) + b"\n" for user in users))


def configured(rules: Rules, user: User, words: list[bytes]) -> None:
    """Apply the rules of a line of the configuration to a user. Raises RuleError."""
    try:
        rules.apply_all(user, words)
    except BadRule as error:
        shown = f" '{text_of(error.rule)}'" if isinstance(error.reason, UnknownName) else ""
        raise RuleError(f"rule{shown}: {error.reason}") from None
