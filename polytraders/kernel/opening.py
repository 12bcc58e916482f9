"""The block as compiled code sees it: one address, from which an array is made where it is read.

A tuple of all arrays would be some 150 words in every call that is not inlined, and the compiler would handle each of
them at each call. The head of the block does not change while the loop runs, so its words are read as invariants: the
optimiser reads each of them once, however often the block is written to in between.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, register_model
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

WORD = ir.IntType(64)

Size = int | str | tuple[str, ...]
"""Length of an axis: known, told by a word of the head, or the product of several."""


class Placed(NamedTuple):
    """An array of the block."""

    name: str
    layout: Any
    shape: tuple[Size, ...]


class Opened(types.Type):
    """Numba's type of an opened block."""

    def __init__(self, arrays: tuple[Placed, ...], words: tuple[str, ...], offsets: int) -> None:
        """One type for every block.

        Args:
            arrays: What the block holds.
            words: Names of the head's first words, which are sizes.
            offsets: Word of the head with the first array's offset; the others follow in order.
        """
        self.arrays = {array.name: (array, offsets + place) for place, array in enumerate(arrays)}
        self.words = words
        super().__init__(name="State")


@register_model(Opened)
class Address(models.PrimitiveModel):
    """An opened block is an address."""

    def __init__(self, manager: Any, kind: Any) -> None:
        """As numba calls it."""
        super().__init__(manager, kind, ir.IntType(8).as_pointer())


def _array_type(array: Placed) -> Any:
    return types.Array(from_dtype(np.dtype(array.layout)), len(array.shape), "C")


@infer_getattr
class Attributes(AttributeTemplate):
    """The arrays are attributes."""

    key = Opened

    def generic_resolve(self, opened: Opened, name: str) -> Any:  # type: ignore[override]
        """Type of an array; None for a name that is none."""
        return _array_type(opened.arrays[name][0]) if name in opened.arrays else None


def _head_word(builder: Any, block: Any, word: int) -> Any:
    head = builder.bitcast(block, WORD.as_pointer())
    found = builder.load(cgutils.gep_inbounds(builder, head, word))
    found.set_metadata("invariant.load", builder.module.add_metadata([]))
    return found


def _product(builder: Any, factors: list[Any]) -> Any:
    # Counts that fit into memory: without the flag the optimiser would reckon with a wrap.
    product = WORD(1)
    for factor in factors:
        product = builder.mul(product, factor, flags=("nsw",))
    return product


def _length(builder: Any, block: Any, opened: Opened, size: Size) -> Any:
    if isinstance(size, int):
        return WORD(size)
    names = (size,) if isinstance(size, str) else size
    return _product(builder, [_head_word(builder, block, opened.words.index(name)) for name in names])


def _fill(context: Any, builder: Any, kind: Any, data: Any, shape: list[Any]) -> Any:
    """An array of this type and shape over memory that belongs to somebody else."""
    array = make_array(kind)(context, builder)
    itemsize = WORD(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides = [_product(builder, [itemsize, *shape[axis + 1 :]]) for axis in range(len(shape))]
    populate_array(
        array,
        data=builder.bitcast(data, array.data.type),
        shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides),
        itemsize=itemsize,
        meminfo=None,
    )
    return array._getvalue()


@lower_getattr_generic(Opened)
def _array(context: Any, builder: Any, opened: Opened, block: Any, name: str) -> Any:
    array, word = opened.arrays[name]
    shape = [_length(builder, block, opened, size) for size in array.shape]
    data = builder.gep(block, [_head_word(builder, block, word)], inbounds=True)
    return _fill(context, builder, _array_type(array), data, shape)


def opener(arrays: tuple[Placed, ...], words: tuple[str, ...], offsets: int) -> Callable[..., Any]:
    """A function for kernels that opens a block of bytes. Arguments: see `Opened`."""
    opened = Opened(arrays, words, offsets)

    @intrinsic
    def open_block(typingctx: Any, block: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return make_array(block)(context, builder, args[0]).data

        return opened(block), generate

    return open_block


def viewer(layout: np.dtype[Any]) -> Callable[..., Any]:
    """A function for kernels that takes bytes as the rows of a layout; a part of a row at the end is left out."""
    rows = _array_type(Placed("rows", layout, (0,)))

    @intrinsic
    def as_rows(typingctx: Any, data: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source = make_array(data)(context, builder, args[0])
            count = builder.udiv(source.nitems, WORD(layout.itemsize))
            return _fill(context, builder, rows, source.data, [count])

        return rows(data), generate

    return as_rows
