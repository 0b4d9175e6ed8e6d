"""Search: whether a number stands in a short row; a stretch of the row is compared at once, without a branch."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# Numbers that are compared at once.
STRETCH = 8


@intrinsic  # type: ignore[untyped-decorator]
def _same(typing_context: Any, row: Any, first: Any, number: Any) -> Any:
    """Bits, one for each of the STRETCH numbers from ``row[first]`` on: whether it is ``number`` (of the row's type)."""
    signature = types.int64(row, types.intp, row.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        one = context.get_data_type(kind.dtype)
        many = ir.VectorType(one, STRETCH)
        place = cgutils.get_item_pointer(context, builder, kind, array, [arguments[1]])
        found = builder.load(builder.bitcast(place, many.as_pointer()))
        found.align = kind.dtype.bitwidth // 8
        sought = ir.Constant(many, ir.Undefined)
        for lane in range(STRETCH):
            sought = builder.insert_element(sought, arguments[2], ir.Constant(ir.IntType(32), lane))
        equal = builder.icmp_signed("==", found, sought)
        return builder.zext(builder.bitcast(equal, ir.IntType(STRETCH)), ir.IntType(64))

    return signature, generate


@njit(cache=True)  # type: ignore[untyped-decorator]
def find(row: Any, first: int, count: int, number: int) -> int:
    """1 when ``number`` is one of the ``count`` numbers from ``row[first]`` on, else 0.

    The row must have a multiple of STRETCH places from ``first`` on.
    """
    sought = row.dtype.type(number)
    found = _same(row, first, sought) & ((1 << min(count, STRETCH)) - 1)
    if count > STRETCH:
        for done in range(STRETCH, count, STRETCH):
            found |= _same(row, first + done, sought) & ((1 << min(count - done, STRETCH)) - 1)
    return 1 if found != 0 else 0
