"""What the neighbours have opened to actions: names per class, classes that take items, iteration or writes, modules.

Data that is filled at import, by the environment, the views and the api. Must not act on a tenant's value.
"""

from __future__ import annotations

from typing import Any

from sandbox.reach import reachable
from sandbox.reach.builtin_types import CLASS_NAMES, INSTANCE_NAMES, ITERABLES, SUBSCRIPTABLES, WRITABLES


def _read_plainly(cls: type, names: frozenset[str]) -> frozenset[str]:
    # The arguments of an exception are not read as they are: the guard answers them itself.
    return names - {"args"} if issubclass(cls, Exception) else names


# Exact type -> names its instances show. The hot path: one dict and one set lookup.
ATTRS: dict[type, frozenset[str]] = {cls: _read_plainly(cls, names) for cls, names in INSTANCE_NAMES.items()}
# Class object -> names the class object itself shows.
CLASS_ATTRS: dict[type, frozenset[str]] = dict(CLASS_NAMES)
ITERABLE: set[type] = set(ITERABLES)
SUBSCRIPTABLE: set[type] = set(SUBSCRIPTABLES)
WRITABLE: set[type] = set(WRITABLES)
MODULES: dict[str, Any] = {}
# Class object that stands in for an exception class -> what `except` catches by it.
CAUGHT: dict[type, type[Exception]] = {}

# Classes learnt from `_exposed_`; bounded, so that classes made in executions cannot fill the memory of a worker.
LEARN_MAX = 1000

NOTHING: frozenset[str] = frozenset()
ERROR_NAMES: frozenset[str] = frozenset({"add_note", "args"})
"""What every exception shows. A note is a text, and is gone with the exception."""


def expose(
    cls: type,
    names: frozenset[str] | None = None,
    *,
    writable: bool = False,
    iterable: bool = False,
    items: bool = False,
) -> None:
    """Register what instances of exactly `cls` show.

    Args:
        cls: a class whose own methods are all safe to call with hostile arguments.
        names: attribute names; by default its `_exposed_`.
        writable: items and attributes may be assigned.
        iterable: may be iterated; implied when the class has `__iter__` and `_exposed_`.
        items: may be subscripted; implied when the class has `__getitem__` and `_exposed_`.
    """
    names = cls.__dict__.get("_exposed_", NOTHING) if names is None else frozenset(names)
    wrong = sorted(name for name in names if name.startswith("_"))
    if wrong:
        raise ValueError(f"{cls.__name__}: a name beginning with an underscore cannot be exposed: {wrong}")
    ATTRS[cls] = _read_plainly(cls, names)
    if writable:
        WRITABLE.add(cls)
    if iterable:
        ITERABLE.add(cls)
    if items:
        SUBSCRIPTABLE.add(cls)


def expose_class(cls: type, names: frozenset[str]) -> None:
    """Register which attributes of the class object `cls` are open, constructors for instance."""
    CLASS_ATTRS[cls] = frozenset(names)


def expose_module(name: str, facade: object) -> None:
    """Make `import name` answer `facade`: an object with `_exposed_`. Dotted names are separate."""
    MODULES[name] = facade


def learn(kind: type) -> frozenset[str]:
    """Answer what an unregistered type shows: its `_exposed_`; an exception only `args`; anything else nothing."""
    exposed = getattr(kind, "_exposed_", None)
    if type(exposed) is frozenset:
        if len(ATTRS) < LEARN_MAX and not getattr(kind, "_ephemeral_", False):
            expose(kind, exposed)
        return exposed
    return ERROR_NAMES if issubclass(kind, Exception) else NOTHING


def find_module(name: str) -> Any:
    """Answer the facade of module `name`."""
    try:
        return MODULES[name]
    except KeyError:
        if name == "__future__":
            raise ImportError("write `from __future__ import annotations`") from None
        raise ModuleNotFoundError(reachable.explain_module(name), name=name) from None


def check_import(name: str, member: str | None) -> None:
    """Say before a run what an import would say in it; silent as long as no module is registered.

    Raises:
        ImportError: there is no such module, or no such member.
    """
    if not MODULES:
        return
    module = find_module(name)
    if member is None or f"{name}.{member}" in MODULES:
        return
    if member not in getattr(type(module), "_exposed_", NOTHING):
        raise ImportError(reachable.explain_member(name, member), name=name)
