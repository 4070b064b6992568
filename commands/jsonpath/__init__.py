r"""JSONPath in the dialect of NemesisDB (jsoncons 0.173; specs: nemesis.md, section 6.1).

It is our own because no library speaks this dialect: an absent member reads as null, a bare path is a
truth test, and there are ``=~``, arithmetic, ``^`` and functions. User expressions run on re2.

    path       = ("$" | "@" | call) step*
    step       = "." name | ".." (name | bracket) | bracket | "^"
    name       = "*" | word | string                      word: letters, digits, _ and non-ASCII
    bracket    = "[" item ("," item)* "]"
    item       = "*" | string | integer | slice | "?" expression | "(" expression ")" | ("$" | "@") step*
    slice      = [integer] ":" [integer] [":" [integer]]
    expression = operands with, from loose to tight:  ||  &&  == !=  < <= > >=  + -  * / %  =~ /regex/i
    operand    = ("!" | "-") operand | ("$" | "@") step* | primary step*
    primary    = "(" expression ")" | call | literal      literal: JSON, either quote for strings
    call       = function "(" expression ("," expression)* ")"

Blanks may stand between all of these. What the grammar does not say:

- A path in an expression is null or the value it finds if each of its steps selects one element at
  most (names, indexes, ^); any other path is an array, of everything it finds.
- A comparison or ``=~`` of values it is not for, arithmetic on what is not a number and division by zero
  give null. Integers divide to integers. A function that is given what it does not take makes the
  filter around it not hold, and at the head of a path selects nothing.
- ``&&`` and ``||`` give the operand that decided, and do not evaluate what comes after it.

    errors.py       what can be wrong with a path
    tokens.py       text -> tokens
    parse.py        tokens -> Path; limits on size and nesting
    path.py         find, matches, replace
    steps.py        from an element to those that a step selects
    expressions.py  operators and paths as values
    values.py       truth, equality, order, arithmetic
    functions.py    length(), sum(), ...
    regexes.py      re2 with its limits
    evaluation.py   elements, locations and the budget of one evaluation
"""

from .errors import PathError, PathTooCostly
from .evaluation import Budget, JsonValue, Location, normalised
from .parse import compile
from .path import Match, Path

__all__ = ["Budget", "JsonValue", "Location", "Match", "Path", "PathError", "PathTooCostly", "compile", "normalised"]
