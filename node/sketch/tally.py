"""The inner loop of a sketch: each coordinate is added to the bin of each of its bytes, in the order of coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.machine import F32, F64, INT, Emitter

BYTE = ir.IntType(8)


def tally(values: NDArray[np.float32], octets: NDArray[np.uint8], width: int) -> NDArray[np.float64]:
    """(width, 256) float64: B[q, v] = the sum of values[j], j ascending, whose byte octets[j * width + q] is v.

    `values` (n,) float32; `octets` (n * width,) uint8, which may be longer. One pass over both.
    """
    sums = np.zeros((width, 256), dtype=np.float64)
    _tally(width)(np.ascontiguousarray(values), np.ascontiguousarray(octets), len(values), sums)
    return sums


@cache
def _tally(width: int) -> Callable[..., None]:
    e = Emitter(f"tally_{width}", {"values": "ptr", "octets": "ptr", "count": "int", "sums": "ptr"})
    b, sums = e.builder, e.argument("sums")
    with e.loop(e.index(0), e.argument("count")) as j:
        value = b.fpext(e.load(F32, e.argument("values"), j, F32), F64)
        first = b.mul(j, e.index(width))
        for place in range(width):
            at = b.gep(e.argument("octets"), [b.add(first, e.index(place))], source_etype=BYTE)
            octet = b.zext(b.load(at, typ=BYTE, align=1), INT)
            bin_ = b.add(octet, e.index(256 * place))
            e.store(b.fadd(e.load(F64, sums, bin_, F64), value), sums, bin_, F64)
    return e.compile()
