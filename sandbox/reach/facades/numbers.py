"""`math`, `statistics`, `decimal` and `random`, and the builtins `pow`, `round` and `sum`'s neighbours that need a cap.

Knows how large a number may become. The caps give a clear error at once where the interpreter would compute for
minutes inside one C call that no signal gets through.
"""

from __future__ import annotations

import decimal
import math
import statistics
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from sandbox.reach import reachable
from sandbox.reach.facades.base import Module, exception, module, opened
from sandbox.reach.facades.context import CURRENT, derive
from sandbox.reach.facades.managers import Manager
from sandbox.reach.stand_in import stand_in

INT_BITS: Final = 33_220
"""10,000 decimal digits: more than twice what an int may have on its way to text."""


def _too_large(what: str) -> OverflowError:
    return OverflowError(f"{what}: the result would have more than 10,000 digits")


def power(base: Any, exp: Any, mod: Any = None) -> Any:
    """Raise to a power; ints only as far as INT_BITS."""
    if mod is None:
        if isinstance(base, int) and isinstance(exp, int) and exp > 0 and base.bit_length() * exp > INT_BITS:
            if base in (-1, 0, 1):
                return base ** (2 - exp % 2)
            raise _too_large("pow()")
        return pow(base, exp)
    if any(isinstance(part, int) and part.bit_length() > INT_BITS for part in (base, exp, mod)):
        raise _too_large("pow()")
    return pow(base, exp, mod)


def round_number(number: Any, ndigits: Any = None) -> Any:
    """Round; an int to at most 10,000 places before the point, where it is 0 anyway."""
    if ndigits is None:
        return round(number)
    if isinstance(ndigits, int):
        ndigits = max(-10_000, min(ndigits, 10_000))
    return round(number, ndigits)


def factorial(n: Any) -> int:
    """Return n!."""
    if isinstance(n, int) and n > 3000:
        raise _too_large("math.factorial()")
    return math.factorial(n)


def comb(n: Any, k: Any) -> int:
    """Return the number of ways to choose k of n."""
    _check_ways("math.comb()", n, k)
    return math.comb(n, k)


def perm(n: Any, k: Any = None) -> int:
    """Return the number of ways to arrange k of n."""
    _check_ways("math.perm()", n, n if k is None else k)
    return math.perm(n, k)


def _check_ways(what: str, n: Any, k: Any) -> None:
    if isinstance(n, int) and isinstance(k, int) and n.bit_length() * min(k, n) > INT_BITS:
        raise _too_large(what)


def product(iterable: Iterable[Any], /, *, start: Any = 1) -> Any:
    """Return the product of numbers."""
    result = start
    for factor in iterable:
        if type(factor) not in (int, float, bool, decimal.Decimal):
            raise TypeError(f"math.prod(): {type(factor).__name__} is not a number")
        result = result * factor
        if isinstance(result, int) and result.bit_length() > INT_BITS:
            raise _too_large("math.prod()")
    return result


def lcm(*integers: Any) -> int:
    """Return the least common multiple."""
    result = 1
    for one in integers:
        result = math.lcm(result, one)
        if result.bit_length() > INT_BITS:
            raise _too_large("math.lcm()")
    return result


_EXPONENT_MAX: Final = 10_000
"""Of a Decimal: an int of more digits is out of reach too, and what is made of one takes minutes."""

_DIGITS_MAX: Final = 10_000


def make_decimal(value: Any = "0") -> decimal.Decimal:
    """Be `decimal.Decimal`, of at most 10,000 digits before the point or zeros behind it."""
    size = value.bit_length() * _DIGITS_MAX // INT_BITS if isinstance(value, int) else 0
    if isinstance(value, (str, list)):
        size = len(value)
    elif isinstance(value, tuple) and len(value) == 3 and isinstance(value[1], (tuple, list)):
        size = len(value[1])
    if size > _DIGITS_MAX:
        raise ValueError(f"decimal.Decimal(): more than {_DIGITS_MAX} digits")
    made = decimal.Decimal(value)
    if abs(made.adjusted()) > _EXPONENT_MAX:
        raise ValueError(f"decimal.Decimal(): the exponent must be from -{_EXPONENT_MAX} to {_EXPONENT_MAX}")
    return made


def _drawn(name: str) -> Any:
    """Make a function that draws from the execution's own randomness."""

    def draw(*args: Any, **kwargs: Any) -> Any:
        return getattr(CURRENT.random, name)(*args, **kwargs)

    return draw


def shuffle(x: Any) -> None:
    """Shuffle a list in place."""
    if type(x) is not list:
        raise TypeError("random.shuffle() takes a list; random.sample(x, len(x)) makes one")
    CURRENT.random.shuffle(x)


_SEEDS: Final = (int, float, str, bytes, type(None))


def seed(a: Any = None) -> None:
    """Begin the execution's ordinary randomness anew; without a value, as it began."""
    if type(a) not in _SEEDS:
        raise TypeError("The only supported seed types are: None, int, float, str, bytes, and bytearray.")
    if a is None:
        CURRENT.random.seed(derive(CURRENT.seed, b"random"))
    else:
        CURRENT.random.seed(a)


def getrandbits(k: Any) -> int:
    """Return an int of k random bits."""
    if isinstance(k, int) and k > INT_BITS:
        raise _too_large("random.getrandbits()")
    return CURRENT.random.getrandbits(k)


PRECISION_MAX: Final = 100
"""Digits of a result of `/`, `sqrt`, `ln` and their like: what takes long beyond."""
_ROUNDINGS: Final = frozenset(name for name in reachable.MODULES["decimal"] if name.startswith("ROUND_"))
_DIGITS_USUAL: Final = 28


class Arithmetic:
    """The precision and the rounding of the running execution, as `decimal.getcontext()` answers them."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset({"prec", "rounding"})
    _writable_: ClassVar[bool] = True

    @property
    def prec(self) -> int:
        """Digits of a result."""
        return decimal.getcontext().prec

    @prec.setter
    def prec(self, digits: Any) -> None:
        _set_context(digits, None)

    @property
    def rounding(self) -> str:
        """One of the names that begin with ROUND_."""
        return decimal.getcontext().rounding

    @rounding.setter
    def rounding(self, name: Any) -> None:
        _set_context(None, name)

    def __repr__(self) -> str:
        return f"Context(prec={self.prec}, rounding={self.rounding})"


def _set_context(digits: Any, rounding: Any) -> None:
    if digits is not None and not (type(digits) is int and 1 <= digits <= PRECISION_MAX):
        raise ValueError(f"decimal: prec is a number from 1 to {PRECISION_MAX}")
    if rounding is not None and not (type(rounding) is str and rounding in _ROUNDINGS):
        raise TypeError("valid values for rounding are: " + ", ".join(sorted(_ROUNDINGS)))
    if _usual_context not in CURRENT.at_end:
        CURRENT.at_end.append(_usual_context)
    context = decimal.getcontext()
    if digits is not None:
        context.prec = digits
    if rounding is not None:
        context.rounding = rounding


def _usual_context() -> None:
    context = decimal.getcontext()
    context.prec, context.rounding = _DIGITS_USUAL, decimal.ROUND_HALF_EVEN
    context.clear_flags()


class LocalContext(Manager):
    """`decimal.localcontext`: the precision and the rounding of one block."""

    __slots__ = ("_before", "_wanted")

    def __init__(self, ctx: Any = None, *, prec: Any = None, rounding: Any = None) -> None:
        if ctx is not None and type(ctx) is not Arithmetic:
            raise TypeError("optional argument must be a context")
        self._wanted = (prec, rounding)
        self._before: tuple[int, str] = (_DIGITS_USUAL, decimal.ROUND_HALF_EVEN)

    def __enter__(self) -> Arithmetic:
        context = decimal.getcontext()
        self._before = context.prec, context.rounding
        _set_context(*self._wanted)
        return _CONTEXT

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        context = decimal.getcontext()
        context.prec, context.rounding = self._before


_CONTEXT: Final = Arithmetic()


def getcontext() -> Arithmetic:
    """Return the precision and the rounding of the running execution."""
    return _CONTEXT


_DECIMAL: Final = (
    "adjusted as_integer_ratio as_tuple canonical compare conjugate copy_abs copy_negate copy_sign exp fma imag"
    " is_finite is_infinite is_nan is_normal is_signed is_subnormal is_zero ln log10 max max_mag min min_mag next_minus"
    " next_plus normalize number_class quantize real remainder_near same_quantum scaleb sqrt to_eng_string to_integral"
    " to_integral_exact to_integral_value"
)


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    opened(decimal.Decimal, _DECIMAL, "from_float")
    # Results are held to what can be made. Of this thread alone, which runs the executions.
    context = decimal.getcontext()
    context.Emax, context.Emin = _EXPONENT_MAX, -_EXPONENT_MAX
    opened(decimal.DecimalTuple, "sign digits exponent count index", iterable=True, items=True)
    for error in (decimal.DecimalException, decimal.DivisionByZero, decimal.InvalidOperation, decimal.Overflow):
        exception(error)
    exception(statistics.StatisticsError)
    capped = {"comb": comb, "factorial": factorial, "lcm": lcm, "perm": perm, "prod": product, "pow": math.pow}
    contexts = {
        "Decimal": stand_in(decimal.Decimal, make_decimal), "getcontext": getcontext, "localcontext": LocalContext,
    }  # fmt: skip
    drawn = {name: _drawn(name) for name in reachable.MODULES["random"]}
    return {
        "math": module("math", capped, math),
        "statistics": module("statistics", {}, statistics),
        "decimal": module("decimal", contexts, decimal),
        "random": module("random", {**drawn, "seed": seed, "shuffle": shuffle, "getrandbits": getrandbits}),
    }
