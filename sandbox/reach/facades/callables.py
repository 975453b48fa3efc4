"""`functools` and `operator`: functions made of functions, and operators as functions, each as guarded as its operator.

Knows which guard an operator goes by. Keeps nothing: what a function has remembered goes with the function.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

from sandbox.reach import guards, held, keys
from sandbox.reach.attributes import guarded_getattr, guarded_getattr_builtin
from sandbox.reach.facades import numbers
from sandbox.reach.facades.base import Module, module, opened
from sandbox.reach.open_names import is_own_function
from sandbox.reach.text import guarded_mod

_OMITTED: Final = object()


def itemgetter(item: Any, *items: Any) -> Callable[[Any], Any]:
    """Make a function that reads an item; through the guard, as `x[item]` in an action is."""
    if not items:
        return lambda value: getitem(value, item)
    return lambda value: tuple([getitem(value, one) for one in (item, *items)])


def attrgetter(attr: Any, *attrs: Any) -> Callable[[Any], Any]:
    """Make a function that reads an attribute, dots allowed; through the guard, as `x.attr` in an action is."""
    for one in (attr, *attrs):
        if type(one) is not str:
            raise TypeError("attribute name must be a string")
    if not attrs:
        return lambda value: _read_path(value, attr)
    return lambda value: tuple([_read_path(value, one) for one in (attr, *attrs)])


def _read_path(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = guarded_getattr(value, name)
    return value


def methodcaller(name: Any, /, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """Make a function that calls a method; it is read through the guard, as `x.name` in an action is."""
    if type(name) is not str:
        raise TypeError("method name must be a string")
    return lambda value: guarded_getattr(value, name)(*args, **kwargs)


def getitem(a: Any, b: Any, /) -> Any:
    """Be `a[b]`."""
    return guards.guarded_getslice(a, b) if type(b) is slice else guards.guarded_getitem(a, b)


def setitem(a: Any, b: Any, c: Any, /) -> None:
    """Be `a[b] = c`."""
    if type(b) is slice:
        guards.guarded_write_slice(a)[b] = c
    else:
        guards.guarded_write(a)[keys.key(b)] = c


def delitem(a: Any, b: Any, /) -> None:
    """Be `del a[b]`."""
    if type(b) is slice:
        del guards.guarded_write_slice(a)[b]
    else:
        del guards.guarded_write(a)[b]


def count_of(a: Iterable[Any], b: Any, /) -> int:
    """Return how many items of `a` equal `b`."""
    return sum([1 for item in guards.guarded_getiter(a) if item is b or item == b])


def index_of(a: Iterable[Any], b: Any, /) -> int:
    """Return where `b` stands in `a`."""
    for place, item in enumerate(guards.guarded_getiter(a)):
        if item is b or item == b:
            return place
    raise ValueError("sequence.index(x): x not in sequence")


def wraps(wrapped: Any, assigned: Any = None, updated: Any = None) -> Callable[[Any], Any]:
    """Make a decorator that gives a function the name and the text of another one."""

    def named(wrapper: Any) -> Any:
        if is_own_function(wrapper):  # any other is shared by all executions
            wrapper.__name__ = wrapper.__qualname__ = _name(wrapped, wrapper.__name__)
            wrapper.__doc__ = guarded_getattr_builtin(wrapped, "__doc__", None)
        return wrapper

    return named


def _name(function: Any, otherwise: str) -> str:
    try:
        found = guarded_getattr(function, "__name__")
    except AttributeError:
        return otherwise
    return found if type(found) is str else otherwise


def lru_cache(maxsize: Any = 128, typed: Any = False) -> Any:
    """Make a function that remembers what it has answered, for as long as there is the function: in one execution."""
    if callable(maxsize):
        return _remembering(maxsize, 128, bool(typed))
    if maxsize is not None and type(maxsize) is not int:
        raise TypeError("Expected first argument to be an integer, a callable, or None")
    return lambda function: _remembering(function, maxsize, bool(typed))


def cache(user_function: Callable[..., Any], /) -> Any:
    """Make a function that remembers all that it has answered."""
    return _remembering(user_function, None)


def _remembering(function: Callable[..., Any], most: int | None, typed: bool = False) -> Callable[..., Any]:
    if not callable(function):
        raise TypeError("the first argument must be callable")
    known: dict[Any, Any] = {}

    def remembered(*args: Any, **kwargs: Any) -> Any:
        asked: Any = keys.key((args, tuple(kwargs.items())) if kwargs else args)
        if typed:  # 1 is not 1.0 then
            asked = asked, tuple(map(type, args)), tuple(map(type, kwargs.values()))
        answer = known.get(asked, _OMITTED)
        if answer is _OMITTED:
            answer = function(*args, **kwargs)
            if most is None or most > 0:
                known[asked] = answer
            if most is not None and len(known) > max(most, 0):
                known.pop(next(iter(known)), None)
        elif most is not None:
            known[asked] = known.pop(asked, answer)  # the one that was asked for last goes last
        return answer

    remembered.__name__ = remembered.__qualname__ = _name(function, "remembered")
    return remembered


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    opened(functools.partial, "")
    making = {"cache": cache, "cmp_to_key": held.cmp_to_key, "lru_cache": lru_cache, "wraps": wraps}
    # As the operators of the language, whose guards they share.
    checked = {
        "and_": keys.intersection, "or_": keys.union, "xor": keys.GUARDS["_xor_"], "sub": keys.GUARDS["_sub_"],
        "mod": guarded_mod, "pow": numbers.power, "attrgetter": attrgetter, "itemgetter": itemgetter,
        "methodcaller": methodcaller, "getitem": getitem, "setitem": setitem, "delitem": delitem,
        "countOf": count_of, "indexOf": index_of,
    }  # fmt: skip
    return {
        "functools": module("functools", making, functools),
        "operator": module("operator", checked, operator),
    }
