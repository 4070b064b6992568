"""Steps of paths, applied to a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .nodes import Every, Flatten, Index, Member, Step, Where

Walk: TypeAlias = "Callable[[Any, int], Any]"
# Whether an element passes a [? ]: called with the element and the instant of the event.
Test: TypeAlias = "Callable[[Any, int], bool]"
# Makes the test of a [? ].
MakeTest: TypeAlias = "Callable[[Where], Test]"


def walk(value: Any, steps: Sequence[Step]) -> Any:
    """The value at the end of steps without ``[? ]``."""
    return compiled(steps, _no_test)(value, 0)


def _no_test(where: Where) -> Test:
    raise ValueError("a path with a test is not constant")


def compiled(steps: Sequence[Step], make_test: MakeTest) -> Walk:
    """A function that gives the value at the end of the steps; None where there is nothing."""
    rest: Walk | None = None
    # From the end, because what follows a projection is applied inside it.
    end = len(steps)
    for position in range(len(steps) - 1, -1, -1):
        step = steps[position]
        if isinstance(step, (Every, Where)):
            rest = _before(steps[position + 1 : end], rest)
            rest = _every(rest) if isinstance(step, Every) else _where(make_test(step), rest)
            end = position
    found = _before(steps[:end], rest)
    return _same if found is None else found


def _same(value: Any, instant: int) -> Any:
    return value


def _before(steps: Sequence[Step], rest: Walk | None) -> Walk | None:
    """Steps that are not projections, and what follows them; None if that is nothing at all."""
    if not steps:
        return rest
    if all(isinstance(step, Member) for step in steps):
        first = _members(tuple(step.name for step in steps if isinstance(step, Member)))
    elif len(steps) == 1:
        first = _single(steps[0])
    else:
        first = _chain(tuple(_single(step) for step in steps))
    if rest is None:
        return first
    follow = rest
    return lambda value, instant: follow(first(value, instant), instant)


def _members(names: tuple[str, ...]) -> Walk:
    if len(names) == 1:
        name = names[0]
        return lambda value, instant: value.get(name) if type(value) is dict else None

    def members(value: Any, instant: int) -> Any:
        for name in names:
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return members


def _single(step: Step) -> Walk:
    match step:
        case Member(name):
            return _members((name,))
        case Index(index):
            return _index(index)
        case Flatten():
            return _flatten
        case Every() | Where():
            raise ValueError("a projection is not a single step")


def _chain(walks: tuple[Walk, ...]) -> Walk:
    def chain(value: Any, instant: int) -> Any:
        for each in walks:
            value = each(value, instant)
        return value

    return chain


def _index(index: int) -> Walk:
    def element(value: Any, instant: int) -> Any:
        if type(value) is not list or not -len(value) <= index < len(value):
            return None
        return value[index]

    return element


def _flatten(value: Any, instant: int) -> Any:
    if type(value) is not list:
        return None
    flat: list[Any] = []
    for element in value:
        if type(element) is list:
            flat += element
        else:
            flat.append(element)
    return flat


def _every(rest: Walk | None) -> Walk:
    def every(value: Any, instant: int) -> Any:
        if type(value) is not list:
            return None
        if rest is None:
            return [element for element in value if element is not None]
        return [found for element in value if (found := rest(element, instant)) is not None]

    return every


def _where(test: Test, rest: Walk | None) -> Walk:
    def where(value: Any, instant: int) -> Any:
        if type(value) is not list:
            return None
        passing = [element for element in value if element is not None and test(element, instant)]
        if rest is None:
            return passing
        return [found for element in passing if (found := rest(element, instant)) is not None]

    return where
