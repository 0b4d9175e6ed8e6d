"""Prefetch: ask the memory for a row that a later step will need; changes speed and nothing else."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

CACHE_LINE = 64


@intrinsic  # type: ignore[untyped-decorator]
def _touch(typing_context: Any, table: Any, row: Any, after: Any) -> Any:
    """Emit llvm.prefetch for the byte ``after`` the first one of ``table[row]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        zero = context.get_constant(types.intp, 0)
        place = [arguments[1], *[zero] * (signature.args[0].ndim - 1)]
        pointer = cgutils.get_item_pointer(context, builder, signature.args[0], array, place)
        byte = ir.IntType(8).as_pointer()
        wanted = builder.gep(builder.bitcast(pointer, byte), [arguments[2]])
        flag = ir.IntType(32)
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [wanted, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.none(table, types.intp, types.intp), generate


@njit(cache=True)
def prefetch(table: Any, row: int) -> None:
    """Start loading ``table[row]``."""
    _touch(table, row, 0)


@njit(cache=True)
def prefetch_next(table: Any, row: int) -> None:
    """Start loading the cache line after the one in which ``table[row]`` begins."""
    _touch(table, row, CACHE_LINE)
