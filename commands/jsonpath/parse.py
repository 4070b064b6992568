"""Tokens to a path: recursive descent for paths, binding powers for expressions."""

from __future__ import annotations

from functools import lru_cache

from . import expressions as ex
from . import steps as st
from .errors import PathError
from .evaluation import Expression, JsonValue
from .functions import FUNCTIONS, Call
from .path import Path
from .regexes import BadRegex, regex
from .tokens import END, NUMBER, REGEX, STRING, WORD, Token, tokens

MOST_CHARACTERS = 8192
# Parentheses, filters, signs and literals inside each other, and filters alone: a parenthesis takes up to
# nine nested Python calls to read, a filter eleven to evaluate, and Python allows 1,000.
MOST_DEPTH = 64
MOST_FILTERS = 16
# Each may hold its memory while the path is used.
MOST_REGEXES = 16
_MOST_INDEX = (1 << 63) - 1

# What binds tighter has the greater rank; operators of one rank go from left to right. The signs ! and -
# before an operand bind tighter than all of these.
_RANKS = {
    **dict.fromkeys(["||"], 1),
    **dict.fromkeys(["&&"], 2),
    **dict.fromkeys(["==", "!="], 3),
    **dict.fromkeys(["<", "<=", ">", ">="], 4),
    **dict.fromkeys(["+", "-"], 5),
    **dict.fromkeys(["*", "/", "%"], 6),
    **dict.fromkeys(["=~"], 7),
}
_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None}
_STEP_SIGNS = frozenset((".", "..", "[", "^"))


@lru_cache(maxsize=128)
def compile(text: str) -> Path:
    """Compile a path. Raises PathError."""
    if len(text) > MOST_CHARACTERS:
        raise PathError("the path is too long", MOST_CHARACTERS)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PathError("half of a surrogate pair", error.start) from None
    return _Parser(tokens(text)).whole()


class _Parser:
    """Reads one path. ``work`` counts what has been read, which prices the expressions."""

    def __init__(self, read: list[Token]) -> None:
        self.tokens = iter(read)
        self.token = next(self.tokens)
        self.depth = 0
        self.filters = 0
        self.regexes = 0
        self.work = 0

    # ------------------------------------------------------------ tokens

    def fail(self, reason: str) -> PathError:
        return PathError(reason, self.token.at)

    def take(self) -> Token:
        taken = self.token
        self.token = next(self.tokens, taken)
        self.work += 1
        return taken

    def takes(self, kind: str) -> bool:
        """Take a token if it is of a kind."""
        if self.token.kind != kind:
            return False
        self.take()
        return True

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise self.fail(f"{kind} is missing")
        return self.take()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise self.fail("nested too deep")

    # ------------------------------------------------------------ paths

    def whole(self) -> Path:
        head: Call | None = None
        if self.token.kind == WORD:
            head = self.call()
        elif not (self.takes("$") or self.takes("@")):
            raise self.fail("a path begins with $, @ or a function")
        route = self.route()
        if self.token.kind != END:
            raise self.fail("something that does not belong there")
        return Path(route, head)

    def route(self) -> st.Route:
        steps: list[st.Step] = []
        while self.token.kind in _STEP_SIGNS:
            steps.append(self.step())
        return st.Route(steps)

    def step(self) -> st.Step:
        if self.takes("^"):
            return st.Parent()
        if self.takes(".."):
            return st.Descent(self.bracket() if self.token.kind == "[" else self.name())
        if self.takes("."):
            return self.name()
        return self.bracket()

    def name(self) -> st.Step:
        if self.takes("*"):
            return st.Wildcard()
        if self.token.kind not in (WORD, STRING):
            raise self.fail("a name is missing")
        return st.Member(str(self.take().value))

    def bracket(self) -> st.Step:
        self.expect("[")
        items = [self.item()]
        while self.takes(","):
            items.append(self.item())
        self.expect("]")
        return items[0] if len(items) == 1 else st.Union(tuple(items))

    def item(self) -> st.Step:
        kind = self.token.kind
        if kind in ("*", STRING):
            return self.name()
        if kind == "?":
            self.take()
            return st.Filter(*self.priced())
        if kind == "(":
            self.take()
            computed = st.Computed(*self.priced())
            self.expect(")")
            return computed
        if kind in ("$", "@"):
            self.take()
            return st.Branch(self.route(), absolute=kind == "$")
        return self.index_or_slice()

    def index_or_slice(self) -> st.Step:
        first = self.integer()
        if self.token.kind != ":":
            if first is None:
                raise self.fail("a name, an index or a filter is missing")
            return st.Index(first)
        bounds = [first]
        while len(bounds) < 3 and self.takes(":"):
            bounds.append(self.integer())
        if bounds[2:] == [0]:
            raise self.fail("a slice takes steps that are not 0")
        return st.Slice(slice(*bounds))

    def integer(self) -> int | None:
        sign = -1 if self.takes("-") else 1
        if sign > 0 and self.token.kind != NUMBER:
            return None
        number = self.expect(NUMBER)
        if not isinstance(number.value, int) or number.value > _MOST_INDEX:
            raise PathError("an index is a whole number of 64 bits", number.at)
        return sign * number.value

    # ------------------------------------------------------------ expressions

    def priced(self) -> tuple[Expression, int]:
        """An expression, and what evaluating it costs: half a unit for each token."""
        before = self.work
        self.filters += 1
        if self.filters > MOST_FILTERS:
            raise self.fail("too many filters inside each other")
        expression = self.nested()
        self.filters -= 1
        return expression, 1 + (self.work - before) // 2

    def nested(self) -> Expression:
        """An expression inside of something."""
        self.deeper()
        inner = self.expression()
        self.depth -= 1
        return inner

    def expression(self, above: int = 0) -> Expression:
        """An expression of operators with ranks above a given one."""
        left = self.operand()
        while (rank := _RANKS.get(self.token.kind, 0)) > above:
            symbol = self.take().kind
            left = self.matches(left) if symbol == "=~" else ex.joined(left, symbol, self.expression(rank))
        return left

    def matches(self, operand: Expression) -> Expression:
        token = self.expect(REGEX)
        self.regexes += 1
        if self.regexes > MOST_REGEXES:
            raise PathError("too many regular expressions", token.at)
        try:
            regex(str(token.value), token.ignore_case)
        except BadRegex as error:
            raise PathError(f"a regular expression that cannot be used ({error})", token.at) from None
        return ex.Matches(operand, str(token.value), token.ignore_case)

    def operand(self) -> Expression:
        kind = self.token.kind
        if kind in ("!", "-"):
            self.take()
            self.deeper()
            operand = self.operand()
            self.depth -= 1
            return ex.Not(operand) if kind == "!" else ex.Negative(operand)
        if kind in ("$", "@"):
            self.take()
            selection = ex.selection(self.route())
            return ex.Once(ex.FromRoot(selection)) if kind == "$" else selection
        whole = self.primary()
        return ex.Within(whole, ex.selection(self.route())) if self.token.kind in _STEP_SIGNS else whole

    def primary(self) -> Expression:
        if self.takes("("):
            inner = self.nested()
            self.expect(")")
            return inner
        if self.token.kind == WORD and self.token.value not in _WORDS:
            return ex.once_if_constant(self.call())
        return ex.Literal(self.literal())

    def call(self) -> Call:
        name = self.expect(WORD)
        if name.value not in FUNCTIONS:
            raise PathError(f"{name.value!r} is neither a function nor a value", name.at)
        function, count = FUNCTIONS[name.value]
        self.expect("(")
        arguments = [self.nested()]
        while self.takes(","):
            arguments.append(self.nested())
        self.expect(")")
        if len(arguments) != count:
            raise PathError(f"{name.value} takes {count} argument{'s' * (count > 1)}", name.at)
        return Call(function, tuple(arguments))

    # ------------------------------------------------------------ literals

    def literal(self) -> JsonValue:
        token = self.token
        if token.kind in (STRING, NUMBER):
            return self.take().value
        if token.kind == WORD and token.value in _WORDS:
            return _WORDS[str(self.take().value)]
        if token.kind in ("[", "{"):
            self.deeper()
            value: JsonValue = self.array() if token.kind == "[" else self.object()
            self.depth -= 1
            return value
        if self.takes("-"):
            number = self.expect(NUMBER).value
            return -number if isinstance(number, (int, float)) else None
        raise self.fail("a value is missing")

    def array(self) -> list[JsonValue]:
        self.expect("[")
        items: list[JsonValue] = []
        while self.token.kind != "]" and (not items or self.expect(",")):
            items.append(self.literal())
        self.expect("]")
        return items

    def object(self) -> dict[str, JsonValue]:
        self.expect("{")
        members: dict[str, JsonValue] = {}
        while self.token.kind != "}" and (not members or self.expect(",")):
            name = str(self.expect(STRING).value)
            self.expect(":")
            # The first of two members with one name wins, as in messages.
            members.setdefault(name, self.literal())
        self.expect("}")
        return members
