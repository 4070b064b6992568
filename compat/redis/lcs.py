"""The longest common subsequence of two strings, with the matches that Redis reports."""

from __future__ import annotations

from array import array

Match = tuple[tuple[int, int], tuple[int, int]]


def longest_common_subsequence(a: bytes, b: bytes) -> tuple[bytes, list[Match]]:
    """The subsequence, and its runs as ((first, last) in a, (first, last) in b), from the end backwards.

    O(len(a) * len(b)) time and 4 bytes for each pair.
    """
    rows = _lengths(a, b)
    i, j = len(a), len(b)
    common = bytearray()
    matches: list[Match] = []
    run: list[int] | None = None  # first and last index in a, first and last in b
    while i > 0 and j > 0:
        if a[i - 1] == b[j - 1]:
            common.append(a[i - 1])
            if run is not None and run[0] == i and run[2] == j:
                run[0], run[2] = i - 1, j - 1
            else:
                if run is not None:
                    matches.append(((run[0], run[1]), (run[2], run[3])))
                run = [i - 1, i - 1, j - 1, j - 1]
            i, j = i - 1, j - 1
        elif rows[i - 1][j] > rows[i][j - 1]:
            i -= 1
        else:
            j -= 1
    if run is not None:
        matches.append(((run[0], run[1]), (run[2], run[3])))
    return bytes(reversed(common)), matches


def _lengths(a: bytes, b: bytes) -> list[array[int]]:
    """``rows[i][j]``: length of the subsequence of the first i bytes of a and the first j of b."""
    previous = array("I", bytes(4 * (len(b) + 1)))
    rows = [previous]
    for left in a:
        row = array("I", [0])
        best = 0
        for j, right in enumerate(b):
            if left == right:
                best = previous[j] + 1
            elif previous[j + 1] > best:
                best = previous[j + 1]
            row.append(best)
        rows.append(row)
        previous = row
    return rows
