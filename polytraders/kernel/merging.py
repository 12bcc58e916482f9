"""How numba compiles the loop as one piece.

Left to itself, numba turns every function into machine code, also those that are only ever merged into their callers,
and optimises each of them once more inside every caller. Here functions are linked as they were written, and what
Python calls is optimised and turned into machine code once, together with all that it needs.

This reaches into numba at six places, which `tests/kernel/test_merging.py` holds: the library that a compiler writes
into, its passes, what its flags compare, `_numba_type_`, the model of a type, and the steps of
`JITCodeLibrary.finalize`.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, Final

from llvmlite import binding
from numba import njit, types
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, Flags
from numba.core.compiler_machinery import PassManager
from numba.core.datamodel import models, register_default

_njit: Any = njit
"""`njit` with the options that its published type does not know."""


class Nowhere:
    """Stands for the code generator of code that has no address yet."""

    def set_env(self, name: str, environment: object) -> None:
        """Nothing to do: only machine code has a place for its environment, and kernels never use one."""


class Library(JITCodeLibrary):
    """Code of one function and the libraries that it calls; machine code once somebody asks for its address."""

    @property
    def codegen(self) -> Any:
        """The code generator, for code that has an address."""
        return self._codegen if self._finalized else Nowhere()

    def add_linking_library(self, library: Any) -> None:
        """Remember a library that is called, and leave it as it is."""
        self._linking_libraries.append(library)

    def get_pointer_to_function(self, name: str) -> int:
        """Address of a function, 0 for one that is not here."""
        if not self._finalized:
            try:
                self._final_module.get_function(name)
            except NameError:
                return 0
        return int(super().get_pointer_to_function(name))

    def finalize(self) -> None:
        """Link everything that is called, directly or not; optimise; make machine code."""
        self._raise_if_finalized()
        waiting = list(self._linking_libraries)
        linked: set[Any] = set()
        while waiting:
            library = waiting.pop(0)
            if library in linked:
                continue
            linked.add(library)
            if isinstance(library, Library) and not library._finalized:
                waiting += library._linking_libraries
                self._final_module.link_in(library.as_written())
            else:
                self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._optimize_final_module()
        self._final_module.verify()
        self._finalize_final_module()

    def as_written(self) -> Any:
        """A copy of the function's own code, to be merged or dropped where it is linked in."""
        module = self._final_module.clone()
        for function in module.functions:
            if not function.is_declaration and function.linkage == binding.Linkage.external:
                function.linkage = "linkonce_odr"
        return module

    def _optimize_functions(self, module: Any) -> None:
        # Everything is optimised at the end, and once.
        module.data_layout = self._codegen._data_layout


class Said(Flags):
    """Flags compared by what was said: numba compares all 40 options of a function, at each operator that it types."""

    def __eq__(self, other: object) -> bool:
        """Whether the same was said."""
        return self._values == other._values if isinstance(other, Said) else super().__eq__(other)

    def __hash__(self) -> int:
        """Few flags differ, and those of numba hash alike too."""
        return len(self._values)


PASSES: Final = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants,
    untyped_passes.GenericRewrites,
    untyped_passes.InlineInlinables,
    untyped_passes.ReconstructSSA,
    untyped_passes.DeadBranchPrune,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    typed_passes.AnnotateTypes,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)
"""Numba's passes that a kernel needs: none for closures, `with`, `raise`, loops over tuples or array expressions."""


class Linked(CompilerBase):
    """Numba's compiler with fewer passes, writing into a `Library`."""

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any, flags: Any, local_types: Any
    ) -> None:
        """As numba calls it; `library` is None where it leaves the choice to us."""
        if library is None:
            library = Library(targetctx.codegen(), "kernel")
            library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, args, return_type, Said(flags), local_types)

    def define_pipelines(self) -> list[PassManager]:
        """What is done with a function, in order."""
        manager = PassManager("kernel")
        for step in PASSES:
            manager.add_pass(step, step.__name__)
        manager.finalize()
        return [manager]


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles meanwhile: a tenth of the time, though the compiler keeps nearly all that it makes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Whole(Linked):
    """The compiler of what Python calls; all that it calls is compiled in between."""

    def compile_extra(self, func: Any) -> Any:
        """As numba calls it."""
        with uncollected():
            return super().compile_extra(func)


NARROW: Any = (types.int8, types.int16, types.int32, types.uint8, types.uint16, types.uint32)


def widened(kind: Any) -> Any:
    """Type of an argument: a constant, an enumeration's member and a narrow integer are all an int64.

    Numba would compile a function anew for each constant and each width that it is called with.
    """
    kind = types.unliteral(kind)
    return types.int64 if kind in NARROW or isinstance(kind, types.IntEnumMember) else kind


class Merged(types.Dispatcher):
    """Numba's type of a kernel that another kernel calls."""

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        """Signature of a call."""
        return super().get_call_type(context, tuple(widened(kind) for kind in args), kws)


register_default(Merged)(models.OpaqueModel)


def whole(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """What Python calls again and again: compiled with all that it needs, kept on disk."""
    return _njit(pipeline_class=Whole, cache=True, no_cfunc_wrapper=True, **options)(function)


class Kernel:
    """A function for other kernels; called by Python, it is compiled by itself, with a wrapper for Python."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        """Nothing is compiled yet.

        Args:
            function: Plain Python.
            options: Numba's.
        """
        update_wrapper(self, function)
        self.py_func = function
        self._called = whole(function, options)
        self._linked = _njit(pipeline_class=Linked, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
        self._numba_type_ = Merged(self._linked)

    def __call__(self, *args: Any) -> Any:
        """Call it from Python."""
        return self._called(*args)
