"""The longest common subsequence of two strings, with the runs that Redis' LCS reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Lengths = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
else:
    np = lazily("numpy")


Run = tuple[tuple[int, int], tuple[int, int]]


def longest_common_subsequence(a: bytes, b: bytes) -> tuple[bytes, list[Run]]:
    """The subsequence, and its runs as ((first, last) in a, (first, last) in b), from the end backwards.

    O(len(a) * len(b)) time, about 2 ns a pair; 2 bytes a pair, 4 where both strings exceed 64 KiB.
    """
    lengths = _lengths(a, b)
    i, j = len(a), len(b)
    common = bytearray()
    runs: list[Run] = []
    run: list[int] | None = None  # first and last index in a, first and last in b
    while i > 0 and j > 0:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            common.append(a[i])
            if run is not None and run[0] == i + 1 and run[2] == j + 1:
                run[0], run[2] = i, j
            else:
                if run is not None:
                    runs.append(((run[0], run[1]), (run[2], run[3])))
                run = [i, i, j, j]
        elif lengths[i - 1, j] > lengths[i, j - 1]:
            i -= 1
        else:
            j -= 1
    if run is not None:
        runs.append(((run[0], run[1]), (run[2], run[3])))
    common.reverse()
    return bytes(common), runs


def _lengths(a: bytes, b: bytes) -> Lengths:
    """``[i, j]``: length of the subsequence of the first i bytes of a and the first j of b.

    Within a row the left neighbour only ever raises a length, so it is a running maximum over what the
    row above gives: one numpy pass a row.
    """
    kind = np.uint16 if min(len(a), len(b)) < 1 << 16 else np.uint32
    lengths = np.zeros((len(a) + 1, len(b) + 1), dtype=kind)
    text = np.frombuffer(b, dtype=np.uint8)
    same = {byte: text == byte for byte in set(a)}
    for i, byte in enumerate(a):
        above = lengths[i]
        np.maximum.accumulate(np.where(same[byte], above[:-1] + kind(1), above[1:]), out=lengths[i + 1, 1:])
    return lengths
