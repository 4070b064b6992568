"""Tokens to a tree: recursive descent, a method for each rule of the grammar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isinf
from typing import Any, Final

from januskv.storage.regexes import BadPattern

from . import lexer
from .errors import BadFilter
from .functions import ARITIES
from .nodes import (
    All,
    Array,
    Call,
    Compare,
    Either,
    Every,
    Flatten,
    Index,
    Literal,
    Member,
    Node,
    Not,
    Path,
    Root,
    Step,
    Time,
    Where,
)
from .paths import walk
from .regexes import search
from .values import COMPARISONS

TIME_NAME: Final = "_time"

# Of brackets, calls and projections inside each other. A level takes up to eight nested Python calls to read or to
# evaluate, and Python allows 1,000.
_MOST_LEVELS: Final = 64
# Each may have its memory while the filter is used.
_MOST_PATTERNS: Final = 32
_LEAST_INTEGER, _MOST_INTEGER = -(1 << 63), (1 << 64) - 1
_MOST_DIGITS: Final = 20

_OPERATORS: Final = frozenset(("==", "!=", "in", *COMPARISONS))
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_STEP_SIGNS: Final = frozenset((".", "["))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A filter as a tree, and what it looks at."""

    node: Node
    roots: frozenset[str]
    uses_time: bool


def parse(text: str, args: Mapping[str, Any] | None) -> Parsed:
    """The tree of a filter or of any other expression. Raises BadFilter."""
    parser = _Parser(lexer.tokens(text), args)
    node = parser.whole()
    return Parsed(node, frozenset(parser.roots), parser.uses_time)


class _Parser:
    def __init__(self, tokens: list[lexer.Token], args: Mapping[str, Any] | None) -> None:
        self.tokens = tokens
        self.position = 0
        self.token = tokens[0]
        self.args = args
        self.levels = 0
        self.tests = 0  # [? ] around this place
        self.patterns = 0
        self.roots: set[str] = set()
        self.uses_time = False

    # ------------------------------------------------------------ tokens

    def fail(self, message: str) -> BadFilter:
        return BadFilter(message, self.token.offset)

    def ahead(self, count: int) -> str:
        """The kind of a token after this one."""
        return self.tokens[min(self.position + count, len(self.tokens) - 1)].kind

    def take(self) -> lexer.Token:
        taken = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        self.token = self.tokens[self.position]
        return taken

    def takes(self, kind: str) -> bool:
        """Take a token if it is of a kind."""
        if self.token.kind != kind:
            return False
        self.take()
        return True

    def expect(self, kind: str) -> lexer.Token:
        if self.token.kind != kind:
            raise self.fail(f"{kind} is expected instead of {self.token.kind}")
        return self.take()

    def deeper(self) -> None:
        self.levels += 1
        if self.levels > _MOST_LEVELS:
            raise self.fail(f"more than {_MOST_LEVELS} levels of nesting")

    # ------------------------------------------------------------ operators

    def whole(self) -> Node:
        node = self.either()
        if self.token.kind != lexer.END:
            raise self.fail(f"{self.token.kind} cannot follow here")
        return node

    def either(self, *, is_item: bool = False) -> Node:
        operands = [self.all(is_item)]
        while self.takes("||"):
            operands.append(self.all(False))
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def all(self, is_item: bool) -> Node:
        operands = [self.compare(is_item)]
        while self.takes("&&"):
            operands.append(self.compare(False))
        return operands[0] if len(operands) == 1 else All(tuple(operands))

    def compare(self, is_item: bool) -> Node:
        left = self.unary("item" if is_item else "")
        if self.token.kind not in _OPERATORS:
            return left
        operator = self.take().kind
        return Compare(operator, left, self.unary("right"))

    def unary(self, place: str) -> Node:
        negations = 0
        while self.takes("!"):
            negations += 1
        if negations == 0:
            return self.postfix(place)
        operand = Not(self.postfix(""))
        return operand if negations % 2 else Not(operand)

    # ------------------------------------------------------------ paths

    def postfix(self, place: str) -> Node:
        """A value and the steps after it. Where an array of one string may stand, ``place`` says why."""
        levels = self.levels
        base = self.primary(place)
        steps: list[Step] = []
        while self.token.kind in _STEP_SIGNS:
            steps.append(self.step())
            if isinstance(steps[-1], (Every, Where)):
                # What follows is inside the projection.
                self.deeper()
        self.levels = levels
        if not steps:
            return base
        if isinstance(base, Literal) and not any(isinstance(step, Where) for step in steps):
            return Literal(walk(base.value, steps))
        if isinstance(base, Path) and not any(isinstance(step, (Every, Where)) for step in base.steps):
            return Path(base.base, (*base.steps, *steps))
        return Path(base, tuple(steps))

    def step(self) -> Step:
        if self.takes("."):
            return Member(self.expect(lexer.NAME).value)
        self.expect("[")
        kind = self.token.kind
        if kind == "?":
            return self.where()
        step: Step
        if kind == "]":
            step = Flatten()
        elif kind == "*":
            self.take()
            step = Every()
        elif kind == lexer.NUMBER:
            step = self.index()
        elif kind in (lexer.STRING, lexer.NAME):
            step = Member(self.take().value)
        else:
            raise self.fail(f"{kind} does not say what of the value is wanted")
        self.expect("]")
        return step

    def index(self) -> Index:
        text = self.token.value
        if not text.removeprefix("-").isdigit():
            raise self.fail("an index is an integer")
        self.take()
        digits = text.removeprefix("-").lstrip("0") or "0"
        # No array is that long, and Python does not read thousands of digits.
        index = int(digits) if len(digits) <= _MOST_DIGITS else _MOST_INTEGER
        return Index(-index if text[0] == "-" else index)

    def where(self) -> Where:
        self.deeper()
        self.take()
        self.tests += 1
        test = self.either()
        self.tests -= 1
        self.expect("]")
        self.levels -= 1
        return Where(test)

    # ------------------------------------------------------------ values

    def primary(self, place: str) -> Node:
        kind = self.token.kind
        if kind == lexer.NAME:
            return self.call() if self.ahead(1) == "(" else self.member(self.take().value)
        if kind == lexer.STRING:
            return Literal(self.take().value)
        if kind == lexer.NUMBER:
            return Literal(self.number())
        if kind in _CONSTANTS:
            return Literal(_CONSTANTS[self.take().kind])
        if kind == lexer.ARGS:
            return self.argument()
        if kind == "[":
            if self.is_member_in_brackets(place):
                self.take()
                name = self.take().value
                self.take()
                return self.member(name)
            return self.array()
        if kind == "(":
            self.deeper()
            self.take()
            node = self.either()
            self.expect(")")
            self.levels -= 1
            return node
        raise self.fail("something to compare is missing" if kind == lexer.END else f"{kind} cannot stand here")

    def is_member_in_brackets(self, place: str) -> bool:
        """Whether ``["x"]`` is a member of the root here, and not an array of one string."""
        if self.ahead(1) != lexer.STRING or self.ahead(2) != "]":
            return False
        behind = self.ahead(3)
        if behind in _STEP_SIGNS or place == "":
            return True
        return place == "item" and behind not in (",", ")", "]")

    def member(self, name: str) -> Node:
        if self.tests > 0:
            return Path(Root(is_element=True), (Member(name),))
        if name == TIME_NAME:
            self.uses_time = True
            return Time()
        self.roots.add(name)
        return Path(Root(is_element=False), (Member(name),))

    def number(self) -> int | float:
        text = self.token.value
        digits = text.removeprefix("-")
        if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
            raise self.fail("a number does not begin with a zero and another digit")
        if digits.isdigit() and len(digits) <= _MOST_DIGITS and _LEAST_INTEGER <= int(text) <= _MOST_INTEGER:
            self.take()
            return int(text)
        number = float(text)
        if isinf(number):
            raise self.fail("a number that is too large")
        self.take()
        return number

    def argument(self) -> Literal:
        start = self.take().offset
        if self.takes("."):
            name = self.expect(lexer.NAME).value
        else:
            self.expect("[")
            name = self.expect(lexer.STRING).value
            self.expect("]")
        if self.args is None or name not in self.args:
            raise BadFilter(f"args has no {name[:100]!r}", start)
        return Literal(self.args[name])

    def array(self) -> Node:
        items = self.items("[", "]")
        if all(isinstance(item, Literal) for item in items):
            return Literal([item.value for item in items if isinstance(item, Literal)])
        return Array(items)

    def call(self) -> Call:
        name, start = self.token.value, self.token.offset
        arity = ARITIES.get(name)
        if arity is None:
            raise self.fail(f"there is no function {name[:100]}")
        self.take()
        arguments = self.items("(", ")")
        if len(arguments) != arity:
            raise BadFilter(f"{name} takes {arity} argument{'s' if arity > 1 else ''}, not {len(arguments)}", start)
        if name == "regex" and isinstance(arguments[1], Literal) and isinstance(arguments[1].value, str):
            self.check_pattern(arguments[1].value, start)
        return Call(name, arguments)

    def check_pattern(self, pattern: str, offset: int) -> None:
        self.patterns += 1
        if self.patterns > _MOST_PATTERNS:
            raise BadFilter(f"more than {_MOST_PATTERNS} regular expressions", offset)
        try:
            search(pattern)
        except BadPattern as error:
            raise BadFilter(f"the regular expression is not valid: {error}", offset) from None

    def items(self, opening: str, closing: str) -> tuple[Node, ...]:
        self.deeper()
        self.expect(opening)
        items: list[Node] = []
        if self.token.kind != closing:
            items.append(self.either(is_item=True))
            while self.takes(","):
                items.append(self.either(is_item=True))
        self.expect(closing)
        self.levels -= 1
        return tuple(items)
