"""Machine code for the kernels: a small emitter over llvmlite, compiled in memory the first time it is called.

Why not a compiled loop of Python or a BLAS call: here the order of every float operation is written down, lane by
lane, and LLVM may not change it. So the bytes of a result depend neither on the width of the machine's vectors, nor
on its BLAS, nor on a number of threads. Nothing is installed but a wheel, and nothing is cached on disk: a kernel
compiles in hundredths of a second (the longest, a network of 128 rows, in four tenths), once a process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

INT = ir.IntType(64)
POINTER = ir.PointerType()
F32, F64 = ir.FloatType(), ir.DoubleType()

Value = Any
"""An IR value; llvmlite has no types of its own to tell a checker."""


class Emitter:
    """Writes one function `void name(...)`, whose arguments are pointers ("ptr") and int64 ("int").

    Memory is addressed by pointer, element type and element index; vectors need no alignment beyond their element's.
    """

    def __init__(self, name: str, arguments: dict[str, str]) -> None:
        self.module, self.name = ir.Module(name=name), name
        kinds = [POINTER if kind == "ptr" else INT for kind in arguments.values()]
        self.function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name=name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments: dict[str, Value] = dict(zip(arguments, self.function.args, strict=True))
        self.kinds = list(arguments.values())

    def argument(self, name: str) -> Value:
        """The value of an argument."""
        return self.arguments[name]

    def index(self, value: int) -> Value:
        """An int64 constant."""
        return ir.Constant(INT, value)

    def number(self, kind: Value, value: float) -> Value:
        """A floating constant of a scalar or vector type."""
        if isinstance(kind, ir.VectorType):
            return ir.Constant(kind, [ir.Constant(kind.element, value)] * kind.count)
        return ir.Constant(kind, value)

    @contextmanager
    def loop(self, start: Value, stop: Value, step: int = 1) -> Iterator[Value]:
        """A counted loop; yields the index. Values live through iterations in `variable`s."""
        builder = self.builder
        index = self.variable(INT, start)
        head, body, after = (self.function.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        at = builder.load(index, typ=INT)
        builder.cbranch(builder.icmp_signed("<", at, stop), body, after)
        builder.position_at_end(body)
        yield at
        builder.store(builder.add(at, self.index(step)), index)
        builder.branch(head)
        builder.position_at_end(after)

    def variable(self, kind: Value, value: Value) -> Value:
        """A place for a value that changes, kept in a register by the compiler."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(kind)
        self.builder.store(value, place)
        return place

    def get(self, place: Value, kind: Value) -> Value:
        """What a variable holds."""
        return self.builder.load(place, typ=kind)

    def set(self, place: Value, value: Value) -> None:
        """Change a variable."""
        self.builder.store(value, place)

    def load(self, kind: Value, base: Value, index: Value, element: Value) -> Value:
        """A scalar or vector of `kind` at base[index], counted in `element`s."""
        return self.builder.load(self._at(base, index, element), typ=kind, align=4)

    def store(self, value: Value, base: Value, index: Value, element: Value) -> None:
        """Write a scalar or vector to base[index], counted in `element`s."""
        self.builder.store(value, self._at(base, index, element), align=4)

    def _at(self, base: Value, index: Value, element: Value) -> Value:
        return self.builder.gep(base, [index], source_etype=element)

    def prefetch(self, base: Value, index: Value, element: Value) -> None:
        """Start reading the cache line of base[index]; never faults."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, ir.IntType(32), ir.IntType(32), ir.IntType(32)])
        hint = [ir.Constant(ir.IntType(32), value) for value in (0, 2, 1)]
        self.builder.call(self._intrinsic("llvm.prefetch.p0", kind), [self._at(base, index, element), *hint])

    def fma(self, left: Value, right: Value, addend: Value) -> Value:
        """left * right + addend with one rounding."""
        return self._call("fma", [left, right, addend])

    def min(self, left: Value, right: Value) -> Value:
        """The smaller; operands are no NaN. Which zero of two is not said."""
        return self._call("minnum", [left, right], flags=("nnan", "nsz"))

    def max(self, left: Value, right: Value) -> Value:
        """The larger; operands are no NaN. Which zero of two is not said."""
        return self._call("maxnum", [left, right], flags=("nnan", "nsz"))

    def abs(self, value: Value) -> Value:
        """The magnitude."""
        return self._call("fabs", [value])

    def _call(self, name: str, operands: list[Value], flags: tuple[str, ...] = ()) -> Value:
        kind = operands[0].type
        scalar = kind.element if isinstance(kind, ir.VectorType) else kind
        count = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
        full = f"llvm.{name}.{count}{'f32' if scalar == F32 else 'f64'}"
        function = self._intrinsic(full, ir.FunctionType(kind, [kind] * len(operands)))
        return self.builder.call(function, operands, fastmath=flags)

    def _intrinsic(self, name: str, kind: Value) -> Value:
        found = self.module.globals.get(name)
        return ir.Function(self.module, kind, name=name) if found is None else found

    def splat(self, scalar: Value, count: int) -> Value:
        """A vector of `count` equal lanes."""
        kind = ir.VectorType(scalar.type, count)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(
            one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
        )

    def bits(self, vector: Value) -> Value:
        """A vector's bits as integers of the same width."""
        width = 32 if vector.type.element == F32 else 64
        return self.builder.bitcast(vector, ir.VectorType(ir.IntType(width), vector.type.count))

    def int_vector(self, like: Value, value: int) -> Value:
        """A constant vector of the integer type of `like`."""
        return ir.Constant(like.type, [value] * like.type.count)

    def gather(self, base: Value, indices: Value, element: Value) -> Value:
        """base[i] for every lane i of an int64 vector."""
        kind = ir.VectorType(element, indices.type.count)
        found = ir.Constant(kind, ir.Undefined)
        for lane in range(indices.type.count):
            place = ir.Constant(ir.IntType(32), lane)
            index = self.builder.extract_element(indices, place)
            found = self.builder.insert_element(found, self.load(element, base, index, element), place)
        return found

    def across(self, lanes: Value) -> Value:
        """The sum of 8 float or 4 double lanes as a double, in a fixed order."""
        b = self.builder

        def part(vector: Value, first: int, count: int) -> Value:
            pick = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count)))
            return b.shuffle_vector(vector, vector, pick)

        if lanes.type.element == F32:
            four = ir.VectorType(F64, 4)
            lanes = b.fadd(b.fpext(part(lanes, 0, 4), four), b.fpext(part(lanes, 4, 4), four))
        two = b.fadd(part(lanes, 0, 2), part(lanes, 2, 2))
        first, second = (b.extract_element(two, ir.Constant(ir.IntType(32), k)) for k in (0, 1))
        return b.fadd(first, second)

    def compile(self, *, straight: bool = False) -> Callable[..., None]:
        """The function as a callable of arrays and ints.

        `straight` is for thousands of instructions without a loop, where the optimiser finds nothing and takes long.
        """
        self.builder.ret_void()
        return _Compiled(str(self.module), self.name, self.kinds, straight)


class _Compiled:
    """A compiled function. It keeps its code alive; arrays are passed by address, so they must be contiguous."""

    def __init__(self, text: str, name: str, kinds: list[str], straight: bool) -> None:
        target = _target(1 if straight else 2)
        module = llvm.parse_assembly(text)
        module.verify()
        tuning = llvm.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_unrolling = False  # the kernels fill the registers as they are: unrolled, they spill
        builder = llvm.create_pass_builder(target, tuning)
        if straight:
            passes = llvm.create_new_module_pass_manager()
            passes.add_sroa_pass()
        else:
            passes = builder.getModulePassManager()
        passes.run(module, builder)
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()
        types = [ctypes.c_void_p if kind == "ptr" else ctypes.c_int64 for kind in kinds]
        self._call = ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))

    def __call__(self, *arguments: NDArray[Any] | int) -> None:
        self._call(*(item.ctypes.data if isinstance(item, np.ndarray) else item for item in arguments))


def _target(level: int) -> Any:
    """This machine as LLVM describes it. An engine takes it over, so each needs its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=level
    )
