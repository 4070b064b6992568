"""The language of filters again, as plainly as its description has it: random trees, their text and what they give.

Trees are tuples, first their kind. Nothing here is shared with the parser or the evaluation that are compared with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

Tree = tuple[Any, ...]

NOW = datetime(2023, 1, 1, 0, 0, 0, 500_000, UTC)
DATES = {
    "2023-01-01T00:00:00Z": datetime(2023, 1, 1, tzinfo=UTC),
    "2023-01-01T01:00:00.5+01:00": NOW,
    "2023-01-01t00:00:00.25": NOW - timedelta(milliseconds=250),
    "2023-01-01T00:00:00.500000000z": NOW,
}
STRINGS = ("", "a", "b", "ab", "é😀", "it's", '\\"', "2023-01-01", "2023-13-01T00:00:00Z", *DATES)
NAMES = ("a", "b", "c", "in", "x y")
ARGS: dict[str, Any] = {"k": 1, "list": [0, "a", [1], None], "o": {"a": {"b": "2023-01-01T00:00:00Z"}}, "x y": "a"}
PATTERNS = ("a", "^a$", "b$", "[ab]+", "^$", "(?i)A", ".")
FUNCTIONS = {"contains": 2, "starts_with": 2, "beginsWith": 2, "ends_with": 2, "endsWith": 2, "length": 1, "sum": 1}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from((0.0, 1.0, 1.5, -0.5, 1e300, 2.0**63, 2**63, 2**63 + 1)),
    st.sampled_from(STRINGS),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)


def _steps(trees: st.SearchStrategy[Tree], least: int) -> st.SearchStrategy[list[Tree]]:
    step = st.one_of(
        st.tuples(st.just("member"), st.sampled_from(NAMES)),
        st.tuples(st.just("index"), st.integers(-3, 2)),
        st.tuples(st.sampled_from(("every", "flatten"))),
        st.tuples(st.just("where"), trees),
    )
    return st.lists(step, min_size=least, max_size=3)


def _larger(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    call = st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.tuples(
            st.just("call"), st.just(name), st.lists(trees, min_size=FUNCTIONS[name], max_size=FUNCTIONS[name])
        )
    )
    arrays = st.lists(trees, max_size=3).filter(lambda items: not (len(items) == 1 and is_string(items[0])))
    return st.one_of(
        st.tuples(st.just("path"), st.sampled_from(NAMES), _steps(trees, 0)),
        st.tuples(st.just("of"), trees, _steps(trees, 1)),
        st.tuples(st.just("array"), arrays),
        st.tuples(st.just("not"), trees),
        st.tuples(st.just("and"), trees, trees),
        st.tuples(st.just("or"), trees, trees),
        st.tuples(st.sampled_from(("==", "!=", "<", "<=", ">", ">=", "in")), trees, trees),
        call,
        st.tuples(
            st.just("call"),
            st.just("regex"),
            st.tuples(trees, st.tuples(st.just("literal"), st.sampled_from(PATTERNS))),
        ),
    )


def is_string(tree: Tree) -> bool:
    """Whether the array of this one alone could be read as a member."""
    return tree[0] == "literal" and isinstance(tree[1], str)


_leaves: st.SearchStrategy[Tree] = st.one_of(
    st.tuples(st.just("literal"), scalars),
    st.tuples(st.just("path"), st.sampled_from(NAMES), st.just([])),
    st.tuples(st.just("time")),
    st.tuples(st.just("args"), st.sampled_from(sorted(ARGS))),
)
trees: st.SearchStrategy[Tree] = st.recursive(_leaves, _larger, max_leaves=12)


# ------------------------------------------------------------ text

_TIGHTNESS = {"or": 1, "and": 2, "not": 4, **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3)}


def text_of(tree: Tree, least: int = 1) -> str:
    """The text of a tree, in parentheses if it does not bind so tightly."""
    tightness = _TIGHTNESS.get(tree[0], 5)
    text = _text(tree)
    return text if tightness >= least else f"({text})"


def _text(tree: Tree) -> str:
    match tree:
        case ("literal", str() as value):
            return (
                json.dumps(value, ensure_ascii=len(value) % 2 == 0) if "'" in value or "\\" in value else f"'{value}'"
            )
        case ("literal", value):
            return json.dumps(value)
        case ("time",):
            return "_time"
        case ("args", name):
            return f"$args['{name}']" if " " in name else f"$args.{name}"
        case ("path", name, steps):
            # In parentheses, or it could be the array of a string.
            root = name if name in ("a", "b", "c") else f"(['{name}'])"
            return root + _steps_text(steps)
        case ("of", inner, steps):
            return f"({text_of(inner)})" + _steps_text(steps)
        case ("array", items):
            return "[" + " , ".join(map(text_of, items)) + "]"
        case ("call", name, arguments):
            return f"{name}(" + ",".join(map(text_of, arguments)) + ")"
        case ("not", operand):
            return "!" + text_of(operand, 4)
        case ("and", left, right):
            return f"{text_of(left, 2)} && {text_of(right, 3)}"
        case ("or", left, right):
            return f"{text_of(left, 1)}||{text_of(right, 2)}"
        case (operator, left, right):
            return f"{text_of(left, 4)} {operator} {text_of(right, 4)}"
    raise AssertionError(tree)


def _steps_text(steps: list[Tree]) -> str:
    text = ""
    for step in steps:
        match step:
            case ("member", "in" | "x y" as name):
                text += f"['{name}']"
            case ("member", name):
                text += f".{name}" if len(text) % 2 else f"[{name}]"
            case ("index", index):
                text += f"[{index}]"
            case ("every",):
                text += "[*]"
            case ("flatten",):
                text += "[]"
            case ("where", test):
                text += f"[? {text_of(test)}]"
    return text


# ------------------------------------------------------------ evaluation


def evaluate(tree: Tree, root: Any, *, in_test: bool = False) -> Any:
    """The value of a tree for a root; a datetime for the time of the event."""

    def value(inner: Tree) -> Any:
        return evaluate(inner, root, in_test=in_test)

    match tree:
        case ("literal", literal):
            return literal
        case ("time",):
            return None if in_test else NOW
        case ("args", name):
            return ARGS[name]
        case ("path", name, steps):
            return follow(root, [("member", name), *steps])
        case ("of", inner, steps):
            return follow(value(inner), steps)
        case ("array", items):
            return [value(item) for item in items]
        case ("call", name, arguments):
            return call(name, [value(argument) for argument in arguments])
        case ("not", operand):
            return not truth(value(operand))
        case ("and", left, right):
            return truth(value(left)) and truth(value(right))
        case ("or", left, right):
            return truth(value(left)) or truth(value(right))
        case ("==", left, right):
            return same(value(left), value(right))
        case ("!=", left, right):
            return not same(value(left), value(right))
        case ("in", left, right):
            return any(same(each, value(left)) for each in value(right)) if isinstance(value(right), list) else None
        case (operator, left, right):
            return ordered(operator, value(left), value(right))
    raise AssertionError(tree)


def follow(value: Any, steps: list[Tree]) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    match step:
        case ("member", name):
            return follow(value.get(name) if isinstance(value, dict) else None, rest)
    if not isinstance(value, list):
        return None
    match step:
        case ("index", index):
            places = list(range(len(value))) if index >= 0 else list(range(-len(value), 0))
            return follow(value[index] if index in places else None, rest)
        case ("flatten",):
            return follow([inner for each in value for inner in (each if isinstance(each, list) else [each])], rest)
        case ("every",):
            chosen = value
        case ("where", test):
            chosen = [each for each in value if truth(evaluate(test, each, in_test=True))]
    return [found for each in chosen if (found := follow(each, rest)) is not None]


def truth(value: Any) -> bool:
    return not any(value is each for each in (None, False)) and value not in ("", [], {})


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) or isinstance(other, datetime):
        first, second = as_date(one), as_date(other)
        return first is not None and first == second
    if is_number(one) and is_number(other):
        return Fraction(one) == Fraction(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict):
        return sorted(one) == sorted(other) and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


def as_date(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    return DATES.get(value) if isinstance(value, str) else None


def ordered(operator: str, one: Any, other: Any) -> bool | None:
    if isinstance(one, (str, datetime)) and isinstance(other, (str, datetime)):
        if as_date(one) is not None and as_date(other) is not None:
            one, other = as_date(one), as_date(other)
        elif isinstance(one, datetime) or isinstance(other, datetime):
            return None
        else:
            one, other = [ord(each) for each in one], [ord(each) for each in other]
    elif is_number(one) and is_number(other):
        one, other = Fraction(one), Fraction(other)
    else:
        return None
    outcomes = {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}
    return outcomes[operator]


def as_text(value: Any) -> Any:
    return "2023-01-01T00:00:00.500Z" if isinstance(value, datetime) else value


def call(name: str, arguments: list[Any]) -> Any:
    first = as_text(arguments[0])
    if name == "length":
        return len(first) if isinstance(first, (str, list, dict)) else None
    if name == "sum":
        return total(first) if isinstance(first, list) and all(map(is_number, first)) else None
    second = as_text(arguments[1])
    if name == "contains" and isinstance(first, list):
        return any(same(each, arguments[1]) for each in first)
    if name == "contains":
        return (isinstance(second, str) and second in first) if isinstance(first, str) else None
    if not isinstance(first, str) or not isinstance(second, str):
        return None
    tests: dict[str, Callable[[], bool]] = {
        "starts": lambda: first[: len(second)] == second,
        "begins": lambda: first[: len(second)] == second,
        "ends_w": lambda: first[max(len(first) - len(second), 0) :] == second,
        "endsWi": lambda: first[max(len(first) - len(second), 0) :] == second,
        "regex": lambda: re.search(second.replace("$", r"\Z"), first) is not None,
    }
    return tests[name[:6]]()


def total(numbers: list[Any]) -> Any:
    exact = sum(map(Fraction, numbers), Fraction(0))
    if all(isinstance(number, int) for number in numbers) and -(1 << 63) <= exact < 1 << 64:
        return int(exact)
    return float(exact)
