"""The rules of users: read, applied, and shown in the form of Redis 7.4. The only place that knows their spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from januskv.commands.categories import CATEGORIES, categories_of
from januskv.commands.declare import REDACTED
from januskv.commands.table import Command, CommandTable
from januskv.compat.server.config import Config, quoted_word
from januskv.resp.inline import split_words

from .guards import READ, WRITE, KeyPattern
from .passwords import SCRYPT_WORD, fits, is_digest, scrypt_of, sha256_of
from .rights import Selector, User

_SPACES = re.compile(rb"[ \t\n\v\f\r\0]")

SYNTAX: Final = "Syntax error"
UNKNOWN: Final = "Unknown command or category name in ACL"
_AFTER_ALL_KEYS: Final = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect."
    " Try 'resetkeys' to start with an empty list of patterns"
)
_AFTER_ALL_CHANNELS: Final = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect."
    " Try 'resetchannels' to start with an empty list of channels"
)
_NO_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
_NO_DIGEST: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_NO_FIRST_ARG: Final = "Allowing first-arg of a subcommand is not supported"


# Begins a rule about sessions, which is ours.
SESSION_WORD: Final = b"session:"


class RuleError(Exception):
    """A rule that cannot be applied, in Redis' words."""


class UnknownName(RuleError):
    """A rule about a command or category that there is not."""

    def __init__(self) -> None:
        super().__init__(UNKNOWN)


class OpenBracket(RuleError):
    """A selector that does not end; ``rule`` is its beginning."""

    def __init__(self, rule: bytes) -> None:
        super().__init__(f"Unmatched parenthesis in acl selector starting at '{text_of(rule)}'.")
        self.rule = rule


class BadRule(RuleError):
    """A rule that cannot be applied to a user, named in the error, but for passwords."""

    def __init__(self, rule: bytes, reason: RuleError) -> None:
        shown = rule[:1] + REDACTED if rule[:1] in (b"<", b">") else rule
        super().__init__(f"Error in ACL SETUSER modifier '{text_of(shown)}': {reason}")
        self.rule, self.reason = rule, reason


def text_of(word: bytes) -> str:
    """Bytes of a client as text."""
    return word.decode(errors="surrogateescape")


def has_spaces(word: bytes) -> bool:
    """Whether a name or pattern has characters that end a rule."""
    return _SPACES.search(word) is not None


class Rules:
    """Applies rules to users, with the commands of a server."""

    def __init__(self, table: CommandTable, config: Config) -> None:
        self.table, self.config = table, config

    @cached_property
    def by_category(self) -> dict[str, list[Command]]:
        """The commands and subcommands of each category."""
        found: dict[str, list[Command]] = {name: [] for name in CATEGORIES}
        for command in self.table.everything():
            for name in categories_of(command):
                found.setdefault(name, []).append(command)
        return found

    @cached_property
    def count(self) -> int:
        """The number of commands and subcommands."""
        return sum(1 for _ in self.table.everything())

    @property
    def all_channels(self) -> bool:
        """Whether new users may use all channels."""
        return bool(self.config.acl_pubsub_default == "allchannels")

    def new_user(self, name: str) -> User:
        """A user without rights."""
        return User(name, all_channels=self.all_channels)

    def command(self, name: bytes) -> Command | None:
        """The command or subcommand (``client|list``) of a name, in any letter case."""
        container, bar, sub = name.upper().partition(b"|")
        command = self.table.commands.get(container)
        if not bar or command is None:
            return command
        return (command.subcommands or {}).get(sub)

    # ------------------------------------------------------------ applying

    def apply_all(self, user: User, rules: Sequence[bytes]) -> None:
        """Apply rules to a user in their order. Raises RuleError, with the user half changed: give it a copy."""
        for rule in merged(rules):
            try:
                self.apply(user, rule)
            except RuleError as error:
                raise BadRule(rule, error) from None
        self.settle(user)

    def settle(self, user: User) -> None:
        """Note what follows from the rules that were applied."""
        for selector in user.selectors:
            if selector.takes_new and len(selector.commands) == self.count:
                selector.all_commands = True  # what was taken away has been given back
        user.settle()

    def apply(self, user: User, rule: bytes) -> None:
        """Apply one rule. Raises RuleError."""
        if not rule:
            return
        word = rule.lower()
        match word:
            case b"on" | b"off":
                user.enabled = word == b"on"
            case b"nopass":
                user.nopass = True
                user.passwords.clear()
            case b"resetpass":
                user.nopass = False
                user.passwords.clear()
            case b"sanitize-payload" | b"skip-sanitize-payload":
                user.sanitizes = word == b"sanitize-payload"
            case b"allsessions":
                user.sessions = None
            case b"resetsessions":
                user.confine(None)
            case _ if word.startswith(SESSION_WORD):
                if has_spaces(rule):
                    raise RuleError(SYNTAX)
                user.confine(rule[len(SESSION_WORD) :])
            case b"clearselectors":
                del user.selectors[1:]
            case b"reset":
                user.become(self.new_user(user.name))
            case _ if rule[:1] in b"><#!":
                _apply_password(user, rule)
            case _ if rule[:1] == b"(" and rule[-1:] == b")":
                user.selectors.append(self._selector(rule))
            case _:
                self._apply_right(user.root, rule)

    def _selector(self, rule: bytes) -> Selector:
        selector = Selector(all_channels=self.all_channels)
        for each in split_words(rule[1:-1]) or ():
            self._apply_right(selector, each)
        return selector

    def _apply_right(self, selector: Selector, rule: bytes) -> None:
        word = rule.lower()
        match word:
            case b"allkeys" | b"~*" | b"resetkeys":
                selector.all_keys = word != b"resetkeys"
                selector.keys.clear()
            case b"allchannels" | b"&*" | b"resetchannels":
                selector.all_channels = word != b"resetchannels"
                selector.channels.clear()
            case b"allcommands" | b"+@all" | b"nocommands" | b"-@all":
                selector.all_commands = selector.takes_new = word in (b"allcommands", b"+@all")
                selector.commands = set(self.table.everything()) if selector.all_commands else set()
                selector.first_args.clear()
                selector.rules.clear()
            case _ if rule[:1] in (b"~", b"%"):
                _apply_keys(selector, rule)
            case _ if rule[:1] == b"&":
                _apply_channel(selector, rule[1:])
            case _ if rule[:2] in (b"+@", b"-@"):
                self._apply_category(selector, word)
            case _ if rule[:1] == b"+":
                self._allow(selector, rule[1:])
            case _ if rule[:1] == b"-":
                self._deny(selector, rule[1:])
            case _:
                raise RuleError(SYNTAX)

    def _apply_category(self, selector: Selector, rule: bytes) -> None:
        commands = self.by_category.get(text_of(rule[2:]))
        if commands is None:
            raise UnknownName
        _show(selector, rule)
        for command in commands:
            _set(selector, command, rule[:1] == b"+")

    def _allow(self, selector: Selector, name: bytes) -> None:
        owner, bar, word = name.rpartition(b"|")
        command = self.command(owner if bar else name)
        if command is None:
            raise UnknownName
        if not bar:
            _show(selector, b"+" + command.text_name.encode())
            _set(selector, command, True)
            return
        if "|" in command.name:
            raise RuleError(_NO_FIRST_ARG)
        if not word:
            raise RuleError(SYNTAX)
        if command.subcommands:
            sub = self.command(name)
            if sub is None:
                raise UnknownName
            _set(selector, sub, True)
        else:
            words = selector.first_args.setdefault(command, [])
            if word.lower() not in words:
                words.append(word.lower())
        _show(selector, b"+" + name.lower())

    def _deny(self, selector: Selector, name: bytes) -> None:
        command = self.command(name)
        if command is None:
            raise UnknownName
        _show(selector, b"-" + command.text_name.encode())
        _set(selector, command, False)


def merged(rules: Iterable[bytes]) -> list[bytes]:
    """The rules with the parts of each selector in one. Raises OpenBracket."""
    found: list[bytes] = []
    bracket: list[bytes] = []
    for rule in rules:
        if not bracket and not (rule[:1] == b"(" and rule[-1:] != b")"):
            found.append(rule)
            continue
        bracket.append(rule)
        if len(bracket) > 1 and rule[-1:] == b")":
            found.append(b" ".join(bracket))
            bracket = []
    if bracket:
        raise OpenBracket(bracket[0])
    return found


def _apply_password(user: User, rule: bytes) -> None:
    mark, password = rule[:1], rule[1:]
    if mark in (b"#", b"!"):
        digest = text_of(password)
        if not is_digest(digest):
            raise RuleError(_NO_DIGEST)
    if mark == b"<":
        held = next((each for each in user.passwords if fits(password, [each])), None)
        if held is None and password.startswith(SCRYPT_WORD):
            rest = password.removeprefix(SCRYPT_WORD)
            held = next((each for each in user.passwords if each.startswith("scrypt:") and fits(rest, [each])), None)
        if held is None:
            raise RuleError(_NO_PASSWORD)
        user.passwords.remove(held)
        return
    if mark == b"!":
        if digest not in user.passwords:
            raise RuleError(_NO_PASSWORD)
        user.passwords.remove(digest)
        return
    if mark == b">":
        if password.startswith(SCRYPT_WORD):
            digest = scrypt_of(password.removeprefix(SCRYPT_WORD))
        else:
            digest = sha256_of(password)
    if digest not in user.passwords:
        user.passwords.append(digest)
    user.nopass = False


def _apply_keys(selector: Selector, rule: bytes) -> None:
    if selector.all_keys:
        raise RuleError(_AFTER_ALL_KEYS)
    marks, _, pattern = rule.partition(b"~")
    rights = READ | WRITE
    if rule[:1] == b"%":
        letters = marks[1:].upper()
        if letters not in (b"R", b"W", b"RW", b"WR"):
            raise RuleError(SYNTAX)
        rights = (READ if b"R" in letters else 0) | (WRITE if b"W" in letters else 0)
    if has_spaces(pattern):
        raise RuleError(SYNTAX)
    held = selector.keys.get(pattern)
    if held is None:
        selector.keys[pattern] = KeyPattern(pattern, rights)
    else:
        held.rights |= rights


def _apply_channel(selector: Selector, pattern: bytes) -> None:
    if selector.all_channels:
        raise RuleError(_AFTER_ALL_CHANNELS)
    if has_spaces(pattern):
        raise RuleError(SYNTAX)
    selector.add_channel(pattern)


def _set(selector: Selector, command: Command, allowed: bool) -> None:
    """Allow or deny a command with its subcommands."""
    commands = [command, *(command.subcommands or {}).values()]
    if allowed:
        selector.commands.update(commands)
    else:
        selector.commands.difference_update(commands)
        selector.all_commands = False
    selector.first_args.pop(command, None)


def _show(selector: Selector, rule: bytes) -> None:
    """Note a rule of commands for the description, in place of those that it makes void."""
    name = rule[1:]
    selector.rules = [each for each in selector.rules if each[1:] != name and not each[1:].startswith(name + b"|")]
    selector.rules.append(rule)


# ---------------------------------------------------------------- showing


def shown_commands(selector: Selector) -> bytes:
    """The rules of a selector's commands."""
    return b" ".join([b"+@all" if selector.takes_new else b"-@all", *selector.rules])


def shown_keys(selector: Selector) -> bytes:
    """The rules of a selector's keys."""
    if selector.all_keys:
        return b"~*"
    marks = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}
    return b" ".join(marks[each.rights] + each.pattern for each in selector.keys.values())


def shown_channels(selector: Selector) -> bytes:
    """The rules of a selector's channels."""
    return b"&*" if selector.all_channels else b" ".join(b"&" + pattern for pattern in selector.channels)


def shown_flags(user: User) -> list[bytes]:
    """The rules of a user that are single words."""
    return [
        b"on" if user.enabled else b"off",
        *([b"nopass"] if user.nopass else []),
        b"sanitize-payload" if user.sanitizes else b"skip-sanitize-payload",
    ]


def shown_sessions(user: User) -> bytes:
    """The rules of the sessions to which a user is confined; none if it is not."""
    if user.sessions is None:
        return b""
    return b" ".join(SESSION_WORD + pattern for pattern in user.sessions) or b"resetsessions"


def _shown_selector(selector: Selector) -> bytes:
    channels = shown_channels(selector)
    if not selector.all_channels:
        channels = b"resetchannels " + channels
    parts = (shown_keys(selector), channels.strip(), shown_commands(selector))
    return b" ".join(part for part in parts if part)


def _quoted(rules: bytes) -> bytes:
    """Rules in a form in which quotes mean something: words with quotes are quoted themselves."""
    words = rules.split(b" ")
    return b" ".join(quoted_word(word).encode() if b'"' in word or b"'" in word else word for word in words)


def shown(user: User) -> bytes:
    """The rules that make a user what it is, in one line."""
    root, *others = user.selectors
    return b" ".join(
        [
            *shown_flags(user),
            *(b"#" + digest.encode() for digest in user.passwords),
            *([sessions] if (sessions := shown_sessions(user)) else []),
            _shown_selector(root),
            *(b"(" + _quoted(_shown_selector(each)) + b")" for each in others),
        ]
    )


def line_of(user: User) -> bytes:
    """A user as a line of ACL LIST, of an ACL file and of the configuration."""
    return b"user " + user.name.encode(errors="surrogateescape") + b" " + shown(user)


def config_line_of(user: User) -> bytes:
    """A user as a line of a configuration file."""
    return _quoted(line_of(user))
