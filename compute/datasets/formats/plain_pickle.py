"""Pickles of plain data: a machine that runs the few opcodes such files need and calls nothing.

``pickle`` itself runs whatever a file names, and even restricted it can be made to allocate at
will. This machine only builds lists, tuples, bytes, text, whole numbers, booleans, None and vectors
of uint8: every value it holds comes from bytes of the file, so that none is larger than the file.
What a pickle says to call is compared with the handful of names that NumPy writes for an array, and
only those are understood.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_OPCODES: Final = 4_000_000
"""12,000 arrays take about 300,000."""

_NUMPY: Final = ("numpy.core", "numpy._core")
_NAMES: Final = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    **{(f"{core}.multiarray", "_reconstruct"): "_reconstruct" for core in _NUMPY},
    **{(f"{core}.numeric", "_frombuffer"): "_frombuffer" for core in _NUMPY},
    ("_codecs", "encode"): "encode",
}
"""What may be named, and what this module calls it."""
_UINT8: Final = ("u1", "|u1", "uint8", "B")
_LATIN1: Final = ("latin1", "latin-1", "iso-8859-1")


@dataclass(frozen=True)
class _Name:
    """Something that the pickle names; it stands for it and does nothing."""

    name: str


class _Uint8:
    """Stands for ``numpy.dtype("uint8")``, the only one there is here."""


@dataclass
class Uint8Vector:
    """An array of uint8 of shape (n,) or (n, 1): its bytes, once they are known."""

    data: bytes | None = None


def load_plain(data: bytes) -> object:
    """Return what a pickle of protocol 0 to 5 holds, if it is plain data.

    Returns
    -------
    Lists, tuples, ``bytes``, ``str``, ``int``, ``bool``, ``None`` and ``Uint8Vector``, nested as
    there. Text of Python 2 comes as ``bytes``. Parts may be shared, and a list may hold itself:
    look only as deep as you expect.

    Raises
    ------
    ValueError
        Names the place in the file and what is there.
    """
    machine = _Machine()
    position = 0
    try:
        for count, (opcode, argument, place) in enumerate(pickletools.genops(io.BytesIO(data))):
            position = place or 0
            if opcode.name == "STOP":
                if position + 1 != len(data):
                    raise ValueError(f"{len(data) - position - 1} bytes after its end")  # noqa: TRY301 - the place is added below
                return machine.result()
            if count == MAX_OPCODES:
                raise ValueError(f"more than {MAX_OPCODES} steps")  # noqa: TRY301 - as above
            machine.step(opcode.name, argument)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"byte {position}: {str(error)[:200]}") from error
    except (IndexError, KeyError) as error:
        raise ValueError(f"byte {position}: a value is used that was never made") from error
    raise ValueError("no end")


class _Machine:
    """The stack, the marks and the memo of a pickle."""

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}
        self._steps: dict[str, Callable[[], None]] = {
            "MARK": self._mark,
            "APPEND": self._append,
            "APPENDS": self._appends,
            "LIST": lambda: self._push(self._to_mark()),
            "TUPLE": lambda: self._push(tuple(self._to_mark())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "EMPTY_LIST": lambda: self._push([]),
            "EMPTY_TUPLE": lambda: self._push(()),
            "NONE": lambda: self._push(None),
            "NEWTRUE": lambda: self._push(True),  # noqa: FBT003 - a value, not a switch
            "NEWFALSE": lambda: self._push(False),  # noqa: FBT003 - as above
            "MEMOIZE": lambda: self._remember(len(self._memo)),
            "STACK_GLOBAL": self._stack_global,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }

    def result(self) -> object:
        """Return the one value that is left."""
        if len(self._stack) != 1 or self._below:
            raise ValueError("not one value at its end")
        return self._stack[0]

    def step(self, opcode: str, argument: object) -> None:
        """Run one opcode."""
        if opcode in self._steps:
            self._steps[opcode]()
        elif opcode in ("PROTO", "FRAME"):
            pass  # they say how the bytes are laid out: genops has read them
        elif opcode in ("BINPUT", "LONG_BINPUT", "PUT") and isinstance(argument, int):
            self._remember(argument)
        elif opcode in ("BINGET", "LONG_BINGET", "GET") and isinstance(argument, int):
            self._push(self._memo[argument])
        elif opcode == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            self._push(_named(module, name))
        elif opcode in ("SHORT_BINSTRING", "BINSTRING", "STRING") and isinstance(argument, str):
            self._push(argument.encode("latin-1"))  # text of Python 2: genops reads it so
        elif isinstance(argument, bytearray):
            self._push(bytes(argument))
        elif isinstance(argument, (bytes, str, int)) and opcode in _VALUES:
            self._push(argument)
        else:
            raise ValueError(f"the opcode {opcode}, which plain data has no use for")

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _to_mark(self) -> list[object]:
        values, self._stack = self._stack, self._below.pop()
        return values

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _tuple(self, length: int) -> None:
        values = [self._stack.pop() for _ in range(length)]
        self._push(tuple(reversed(values)))

    def _append(self) -> None:
        value = self._stack.pop()
        self._list().append(value)

    def _appends(self) -> None:
        values = self._to_mark()
        self._list().extend(values)

    def _list(self) -> list[object]:
        top = self._stack[-1]
        if not isinstance(top, list):
            raise ValueError(f"appends to {_kind(top)}, expected a list")  # noqa: TRY004 - one kind of error for what a file says
        return top

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push(_named(module, name))

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ValueError(f"calls {_kind(function)}")  # noqa: TRY004 - as above
        self._push(_made(function.name, arguments))

    def _build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Uint8Vector) and target.data is None:
            target.data = _array_bytes(state)
        elif not isinstance(target, _Uint8) or not isinstance(state, tuple):
            raise ValueError(f"sets the state of {_kind(target)}")


_VALUES: Final = {
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "SHORT_BINBYTES",
    "BINBYTES",
    "BINBYTES8",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
}
"""Opcodes whose argument is the value."""


def _named(module: object, name: object) -> _Name:
    if isinstance(module, str) and isinstance(name, str) and (module, name) in _NAMES:
        return _Name(_NAMES[module, name])
    shown = f"{module}.{name}"[:80] if isinstance(module, str) and isinstance(name, str) else "?"
    raise ValueError(f"names {shown!r}, which plain data has no use for: it may be an attack")


def _made(function: str, arguments: tuple[object, ...]) -> object:
    """Return what a call that NumPy writes stands for."""
    match function, arguments:
        case "encode", (str() as text, str() as codec) if codec in _LATIN1:
            return text.encode("latin-1")
        case "_reconstruct", (_Name("ndarray"), (0,), b"b" | "b"):
            return Uint8Vector()
        case "_frombuffer", (bytes() as data, _Uint8(), shape, "C" | "F" | b"C" | b"F"):
            return Uint8Vector(_flat(data, shape))
        case "dtype", (str() | bytes() as text, *_):
            name = text.decode("latin-1") if isinstance(text, bytes) else text
            if name not in _UINT8:
                raise ValueError(f"an array of {name[:20]!r}, expected bytes (uint8)")
            return _Uint8()
    raise ValueError(f"calls {function} as no array of bytes does")


def _array_bytes(state: object) -> bytes:
    match state:
        case (1, shape, _Uint8(), bool() | int(), bytes() as data):
            return _flat(data, shape)
    raise ValueError("an array of another kind, expected bytes (uint8)")


def _flat(data: bytes, shape: object) -> bytes:
    match shape:
        case (int() as length,) | (int() as length, 1) if length == len(data):
            return data
    raise ValueError(f"an array of {len(data)} bytes in another shape than ({len(data)},)")


def _kind(value: object) -> str:
    return value.name if isinstance(value, _Name) else type(value).__name__
