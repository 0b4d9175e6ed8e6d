"""Rows: one mind's part of a column, which lies in one piece even where the column does not; kernels read it faster so."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import load_item, populate_array


def _one(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The value of a column that has one number for each mind."""
    kind = signature.args[0]
    column = context.make_array(kind)(context, builder, arguments[0])
    place = cgutils.get_item_pointer(context, builder, kind, column, [arguments[1]])
    return load_item(context, builder, kind, place)


@intrinsic  # type: ignore[untyped-decorator]
def own(typing_context: Any, table: Any, row: Any) -> Any:
    """In a kernel: ``table[row]`` of a table (agents, ...) whose rows are contiguous; ``row`` must not be negative.

    A row of numbers has the layout C whatever the layout of ``table``, and counts no reference.
    """
    if table.ndim == 1:
        return table.dtype(table, types.intp), _one
    made = types.Array(table.dtype, table.ndim - 1, "C", aligned=table.aligned)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(
            builder.bitcast(source.data, cgutils.voidptr_t),
            [builder.mul(arguments[1], cgutils.unpack_tuple(builder, source.strides)[0])],
        )
        lengths = cgutils.unpack_tuple(builder, source.shape)[1:]
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(made.dtype)))
        strides = [size]
        for length in reversed(lengths[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        row = context.make_array(made)(context, builder)
        populate_array(
            row,
            data=builder.bitcast(pointer, row.data.type),
            shape=lengths,
            strides=strides,
            itemsize=size,
            meminfo=None,
        )
        return row._getvalue()

    return made(table, types.intp), generate
