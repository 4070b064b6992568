"""Path text to a compiled path, by recursive descent.

    path     = ("$" | "@") step* | function step*
    step     = "." name | ".." (name | bracket) | bracket | "^"
    name     = "*" | word | quoted
    bracket  = "[" item ("," item)* "]"
    item     = "*" | quoted | integer | slice | "?" expression | "(" expression ")"
    expression: || over && over comparisons and =~ over + - over * / % over ! and unary minus
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from . import expressions as ex
from . import selectors as sel
from .errors import PathError
from .functions import FUNCTIONS, FunctionCall
from .path import Path, Step

MOST_CHARACTERS = 8192
MOST_DEPTH = 48  # of parentheses and of brackets inside each other

_WORD = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]+")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BLANKS = " \t\r\n"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", "'": "'", '"': '"'}
_LITERALS = {"true": True, "false": False, "null": None}


@lru_cache(maxsize=512)
def compile(text: str) -> Path:
    """Compile a path. Raises PathError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise PathError("the path is too long")
        self.text = text
        self.at = 0
        self.depth = 0

    # ------------------------------------------------------------ characters

    def fail(self, reason: str) -> PathError:
        return PathError(reason, self.at)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1

    def take(self, token: str) -> bool:
        """Take a token if it comes next, blanks before it included."""
        self.blanks()
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise self.fail(f"{token!r} is missing")

    def pattern(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise self.fail("nested too deep")

    # ------------------------------------------------------------ paths

    def whole(self) -> Path:
        self.blanks()
        head: list[Step] = []
        if self.peek() in ("$", "@") and self.peek():
            self.at += 1
        else:
            word = self.pattern(_WORD)
            if word is None or word[0] not in FUNCTIONS or self.peek() != "(":
                raise self.fail("a path begins with $ or @")
            head.append(sel.Call(self.call(word[0])))
        steps = head + self.steps()
        self.blanks()
        if self.at < len(self.text):
            raise self.fail("unexpected character")
        return Path(steps, None if head else _plain_members(steps))

    def steps(self) -> list[Step]:
        steps: list[Step] = []
        while True:
            step = self.step()
            if step is None:
                return steps
            steps.append(step)

    def step(self) -> Step | None:
        if self.text.startswith("..", self.at):
            self.at += 2
            if self.peek() == "[":
                return sel.Descendants(self.bracket())
            return sel.Descendants((self.name(),))
        if self.peek() == ".":
            self.at += 1
            if self.peek() == "[":
                return sel.Children(self.bracket())
            return sel.Children((self.name(),))
        if self.peek() == "[":
            return sel.Children(self.bracket())
        if self.peek() == "^":
            self.at += 1
            return sel.Parent()
        return None

    def name(self) -> sel.Selector:
        if self.peek() == "*":
            self.at += 1
            return sel.Wildcard()
        if self.peek() in ("'", '"') and self.peek():
            return sel.Name(self.quoted())
        word = self.pattern(_WORD)
        if word is None:
            raise self.fail("a name is missing")
        return sel.Name(word[0])

    def bracket(self) -> tuple[sel.Selector, ...]:
        self.at += 1
        self.deeper()
        items = [self.item()]
        while self.take(","):
            items.append(self.item())
        self.expect("]")
        self.depth -= 1
        return tuple(items)

    def item(self) -> sel.Selector:
        self.blanks()
        first = self.peek()
        if first == "*":
            self.at += 1
            return sel.Wildcard()
        if first and first in "'\"":
            return sel.Name(self.quoted())
        if first == "?":
            self.at += 1
            return sel.Filter(self.expression())
        if first == "(":
            self.at += 1
            expression = self.expression()
            self.expect(")")
            return sel.Computed(expression)
        return self.index_or_slice()

    def index_or_slice(self) -> sel.Selector:
        parts: list[int | None] = [self.integer()]
        while len(parts) < 3 and self.take(":"):
            self.blanks()
            parts.append(self.integer())
        if len(parts) == 1:
            if parts[0] is None:
                raise self.fail("an index, a name or a filter is missing")
            return sel.Index(parts[0])
        if len(parts) == 3 and parts[2] == 0:
            raise self.fail("a step of 0")
        return sel.Slice(slice(*parts))

    def integer(self) -> int | None:
        found = self.pattern(_INTEGER)
        return None if found is None else int(found[0])

    def quoted(self) -> str:
        quote = self.peek()
        self.at += 1
        parts: list[str] = []
        while True:
            char = self.peek()
            if not char:
                raise self.fail("a quote is not closed")
            self.at += 1
            if char == quote:
                return "".join(parts)
            parts.append(self.escape() if char == "\\" else char)

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char == "u":
            digits = self.text[self.at : self.at + 4]
            if not re.fullmatch("[0-9a-fA-F]{4}", digits) or 0xD800 <= int(digits, 16) < 0xE000:
                raise self.fail("a bad \\u escape")
            self.at += 4
            return chr(int(digits, 16))
        if char not in _ESCAPES:
            raise self.fail("a bad escape")
        return _ESCAPES[char]

    # ------------------------------------------------------------ expressions

    def expression(self) -> ex.Expression:
        self.deeper()
        left = self.conjunction()
        while self.take("||"):
            left = ex.Or(left, self.conjunction())
        self.depth -= 1
        return left

    def conjunction(self) -> ex.Expression:
        left = self.comparison()
        while self.take("&&"):
            left = ex.And(left, self.comparison())
        return left

    def comparison(self) -> ex.Expression:
        left = self.sum()
        while True:
            if self.take("=~"):
                left = ex.Regex(self.regex(), left)
                continue
            symbol = next((each for each in ("==", "!=", "<=", ">=", "<", ">") if self.take(each)), None)
            if symbol is None:
                return left
            left = ex.Binary(ex.COMPARISONS[symbol], left, self.sum())

    def sum(self) -> ex.Expression:
        return self.binary(ex.SUMS, lambda: self.binary(ex.PRODUCTS, self.unary))

    def binary(self, operators: dict[str, Callable[[Any, Any], Any]], operand: Callable[[], ex.Expression]) -> ex.Expression:
        left = operand()
        while True:
            symbol = next((each for each in operators if self.take(each)), None)
            if symbol is None:
                return left
            left = ex.Binary(operators[symbol], left, operand())

    def unary(self) -> ex.Expression:
        self.blanks()
        if self.peek() == "!" and not self.text.startswith("!=", self.at):
            self.at += 1
            self.deeper()
            operand = self.unary()
            self.depth -= 1
            return ex.Not(operand)
        if self.peek() == "-" and not self.text[self.at + 1 : self.at + 2].isdigit():
            self.at += 1
            self.deeper()
            operand = self.unary()
            self.depth -= 1
            return ex.Negative(operand)
        return self.primary()

    def primary(self) -> ex.Expression:
        first = self.peek()
        if first == "(":
            self.at += 1
            inner = self.expression()
            self.expect(")")
            return inner
        if first and first in "$@":
            self.at += 1
            return ex.Selection(Path(self.steps(), None), absolute=first == "$")
        if first and first in "'\"":
            return ex.Literal(self.quoted())
        if first == "-" or first.isdigit():
            return ex.Literal(self.number())
        word = self.pattern(_WORD)
        if word is None:
            raise self.fail("a value is missing")
        if word[0] in _LITERALS:
            return ex.Literal(_LITERALS[word[0]])
        if word[0] in FUNCTIONS and self.peek() == "(":
            return self.call(word[0])
        raise self.fail(f"{word[0]!r} is no value and no function")

    def number(self) -> int | float:
        found = self.pattern(_NUMBER)
        if found is None:
            raise self.fail("a number is missing")
        if found[1] or found[2] or len(found[0]) > 19:
            return float(found[0])
        return int(found[0])

    def call(self, name: str) -> FunctionCall:
        function, wanted = FUNCTIONS[name]
        self.expect("(")
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        self.expect(")")
        if len(arguments) != wanted:
            raise self.fail(f"{name} takes {wanted} argument(s)")
        return FunctionCall(function, tuple(arguments))

    def regex(self) -> Callable[[str], Any]:
        self.blanks()
        if self.peek() != "/":
            raise self.fail("=~ takes /an expression/")
        start = self.at + 1
        end = start
        while self.text[end : end + 1] != "/":
            if end >= len(self.text):
                raise self.fail("an expression is not closed")
            end += 2 if self.text[end] == "\\" else 1
        self.at = end + 1
        ignore_case = self.peek() == "i"
        self.at += ignore_case
        options = re2.Options()
        options.case_sensitive = not ignore_case
        options.log_errors = False
        options.max_mem = 1 << 20
        try:
            search: Callable[[str], Any] = re2.compile(self.text[start:end].replace("\\/", "/"), options).search
        except re2.error as error:
            raise self.fail(f"bad expression: {error}") from None
        return search


def _plain_members(steps: list[Step]) -> list[str | int] | None:
    """The names and indexes of a path that has nothing else; None for other paths."""
    members: list[str | int] = []
    for step in steps:
        if type(step) is not sel.Children or len(step.selectors) != 1:
            return None
        only = step.selectors[0]
        if type(only) is sel.Name:
            members.append(only.name)
        elif type(only) is sel.Index:
            members.append(only.index)
        else:
            return None
    return members
