"""The guards open what is listed for an exact type and nothing else, and say what is missing."""

from __future__ import annotations

import collections
import types
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from sandbox.reach import builtin_types, guards, registry
from sandbox.reach.attributes import guarded_getattr, guarded_getattr_builtin, guarded_hasattr_builtin
from sandbox.reach.builtin_types import check_codec
from sandbox.reach.facades.base import named
from sandbox.reach.interrupts import Interrupted
from sandbox.reach.registry import expose, expose_class, expose_module


class View:
    """Stands for an event view."""

    __slots__ = ("email", "hidden")
    _exposed_ = frozenset({"email"})
    _read_only_ = "event is read-only"

    def __init__(self) -> None:
        self.email = "a@b"
        self.hidden = "h"

    def __getitem__(self, key: str) -> str:
        return key * 2

    def __iter__(self) -> Any:
        return iter(("x", "y"))

    def _absent_(self, name: str) -> str:
        if name == "answering":
            return "never handed out"
        raise AttributeError(f"event.user has no attribute {name!r}")


class Closed:
    """Stands for any unforeseen object."""

    email = "x"

    def __iter__(self) -> Any:
        return iter(())

    def __getitem__(self, key: str) -> str:
        return key

    def keys(self) -> list[str]:
        return []


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    """Leave no registration behind: other modules hold on to the very dicts and sets, so their content is restored."""
    names = ("ATTRS", "CLASS_ATTRS", "ITERABLE", "SUBSCRIPTABLE", "WRITABLE", "MODULES")
    kept = [(getattr(registry, name), getattr(registry, name).copy()) for name in names]
    yield
    for registered, content in kept:
        registered.clear()
        registered.update(content)


@pytest.mark.parametrize("kind", builtin_types.INSTANCE_NAMES)
def test_listed_names_exist(kind: type) -> None:
    """Every listed name is a public attribute that the type really has, so that no typo hides in the list."""
    for name in builtin_types.INSTANCE_NAMES[kind]:
        assert not name.startswith("_")
        assert hasattr(kind, name), name


SAMPLES = ["a", b"a", 1, True, 1.5, None, [1], (1,), {1: 2}, {1}, frozenset({1}), range(3), slice(1), ValueError("x")]


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_every_other_attribute_is_closed(value: object) -> None:
    """Of all attributes of a builtin value only the listed ones can be read, and a missing one raises."""
    listed = builtin_types.INSTANCE_NAMES[type(value)] | set(builtin_types.CHECKED_METHODS.get(type(value), ()))
    told = {"__cause__"} if isinstance(value, Exception) else set()  # by a function of ours: test_open_names.py
    for name in {*dir(value), *dir(type(type(value))), "obj", "nope"} - told:
        if name in listed:
            guarded_getattr(value, name)
        else:
            with pytest.raises(AttributeError):
                guarded_getattr(value, name)


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1, len, [].append, (x for x in ""), types, Closed(), object(), iter([]), type, Exception.__init__,
        types.SimpleNamespace, types.MappingProxyType({}), Closed().keys, (lambda: 1).__code__, NotImplemented,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_closed_objects(value: object) -> None:
    """Functions, modules, generators, code and unknown objects show no attribute, but their name and their text."""
    for name in {*dir(value)} - ({"__doc__", "__name__"} if callable(value) else set()):
        with pytest.raises(AttributeError):
            guarded_getattr(value, name)


@pytest.mark.parametrize(
    ("value", "name", "words"),
    [
        ("x", "uper", "Did you mean 'upper'?"),
        ("x", "toLowerCase", "In Python: x.lower()"),
        ([], "length", "In Python: len(x)"),
        ({}, "use_mfa", "x['use_mfa']"),
        (None, "name", "the value before the dot is absent"),
        ("x", "__class__", "names beginning with an underscore are never open"),
        (str, "mro", "class 'str' has no attribute 'mro'"),
        (View(), "emial", "event.user has no attribute 'emial'"),
        (
            named("json", {"loads": int}),
            "load",
            "'json.load' is not available: actions cannot read or write files; use json.loads(text)",
        ),
        (types.SimpleNamespace(total=1), "totl", "Did you mean 'total'?"),
        ("x", "y" * 10_000, "'str' has no attribute 'yyy"),
    ],
)
def test_missing_attribute(value: object, name: str, words: str) -> None:
    """A missing attribute raises with what it is missing on, and what was probably meant."""
    with pytest.raises(AttributeError) as error:
        guarded_getattr(value, name)
    assert words in str(error.value)
    assert len(str(error.value)) < 400
    assert error.value.obj is None


def test_exposed_class() -> None:
    """A class opens what `_exposed_` names, items and iteration if it has them, and no write."""
    view = View()
    for _ in range(2):  # the second time from the registry
        assert guarded_getattr(view, "email") == "a@b"
        for name in ("hidden", "answering", "_exposed_", "__init__"):
            with pytest.raises(AttributeError):
                guarded_getattr(view, name)
    assert guards.guarded_getitem(view, "k") == "kk"
    assert guards.guarded_getiter(view) is view
    with pytest.raises(TypeError, match="event is read-only"):
        guards.guarded_write(view)


def test_closed_class() -> None:
    """A class that was not opened can be neither subscripted, iterated, written nor merged, though Python could."""
    closed: Any = Closed()
    assert (closed["k"], list(closed)) == ("k", [])
    for guard in (
        lambda: guards.guarded_getitem(closed, "k"),
        lambda: guards.guarded_getiter(closed),
        lambda: guards.guarded_write(closed),
        lambda: guards.GUARDS["_mapping_"](closed),
        lambda: guards.GUARDS["_kwargs_"](closed),
        lambda: guards.GUARDS["_unpack_sequence_"]((1, closed), (2, False, ((1, (0, True, ())),))),
        lambda: list(guards.GUARDS["_iter_unpack_sequence_"]([closed], None)),
    ):
        with pytest.raises(TypeError):
            guard()


def test_ephemeral_class_is_not_kept() -> None:
    """A class made in an execution is read by its `_exposed_` without being registered."""
    made = type("Made", (tuple,), {"_exposed_": frozenset({"x"}), "_ephemeral_": True, "x": property(len)})
    assert guarded_getattr(made((1, 2)), "x") == 2
    assert made not in registry.ATTRS


def test_learning_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that forgot to say that they are ephemeral do not fill the registry."""
    monkeypatch.setattr(registry, "LEARN_MAX", len(registry.ATTRS) + 3)
    for index in range(10):
        made = type(f"Made{index}", (), {"_exposed_": frozenset({"x"}), "x": index})
        assert guarded_getattr(made(), "x") == index
    assert len(registry.ATTRS) <= registry.LEARN_MAX


def test_expose_refuses_private_names() -> None:
    """No class can open a name that begins with an underscore."""
    with pytest.raises(ValueError, match="_x"):
        expose(Closed, frozenset({"_x"}))


def test_expose() -> None:
    """Registration opens exactly what it says."""
    expose(Closed, frozenset({"email"}), writable=True, iterable=True, items=True)
    expose_class(Closed, frozenset({"keys"}))
    closed = Closed()
    assert guarded_getattr(closed, "email") == "x"
    assert guarded_getattr(Closed, "keys") is Closed.keys
    with pytest.raises(AttributeError):
        guarded_getattr(Closed, "email")
    assert guards.guarded_write(closed) is closed
    assert guards.guarded_getiter(closed) is closed
    assert guards.guarded_getitem(closed, "k") == "k"


def test_modules() -> None:
    """An import answers the registered facade, its member or its submodule, and names what there is otherwise."""
    facade = named("urllib", {"one": 1})
    expose_module("urllib", facade)
    expose_module("urllib.parse", facade)
    get, get_from = guards.GUARDS["_import_"], guards.GUARDS["_import_from_"]
    assert get("urllib") is get_from("urllib", "parse") is facade
    assert get_from("urllib", "one") == 1
    assert repr(facade) == "<module 'urllib'>"
    with pytest.raises(ModuleNotFoundError):
        get("os")
    with pytest.raises(ImportError, match="cannot import 'two' from 'urllib'"):
        get_from("urllib", "two")
    assert "urllib" in registry.MODULES


def test_builtin_equivalents() -> None:
    """`getattr`, `hasattr` and `setattr` see what a dot sees, and take no name that is not exactly a str."""

    class Name(str):
        __slots__ = ()

    view = View()
    assert guarded_getattr_builtin(view, "email") == "a@b"
    assert guarded_getattr_builtin(view, "hidden", "default") == "default"
    assert guarded_getattr_builtin(view, "__class__", None) is None
    assert guarded_hasattr_builtin(view, "email")
    assert not guarded_hasattr_builtin(view, "__class__")
    with pytest.raises(AttributeError):
        guarded_getattr_builtin(view, "hidden")
    for call in (
        lambda: guarded_getattr_builtin(view, Name("email")),
        lambda: guarded_hasattr_builtin(view, 5),
        lambda: guards.guarded_setattr_builtin(types.SimpleNamespace(), Name("x"), 1),
        lambda: guards.guarded_setattr_builtin(view, "email", 1),
        lambda: guards.guarded_setattr_builtin(ValueError, "marker", 1),
    ):
        with pytest.raises(TypeError):
            call()
    own = types.SimpleNamespace()
    guards.guarded_setattr_builtin(own, "x", 1)
    assert guarded_getattr(own, "x") == 1
    with pytest.raises(AttributeError):
        guards.guarded_setattr_builtin(own, "__class__", View)


def test_class_objects() -> None:
    """A class object gives its listed constructors and, for builtins, its methods unbound."""
    assert guarded_getattr(str, "lower")("A") == "a"
    assert guarded_getattr(dict, "fromkeys")("a") == {"a": None}
    assert guarded_getattr(str, "encode")("é", "latin1") == b"\xe9"
    with pytest.raises(TypeError):
        guarded_getattr(str, "format")(5)
    for name in ("mro", "__subclasses__", "__init__"):
        with pytest.raises(AttributeError):
            guarded_getattr(str, name)
    with pytest.raises(AttributeError):
        guarded_getattr(View, "email")


@pytest.mark.parametrize(
    "codec", ["zlib_codec", "rot13", "idna", "punycode", "unicode_escape", "no-such", "../x", "mbcs"]
)
def test_codecs(codec: str) -> None:
    """Only codecs that are loaded and linear can be named."""
    with pytest.raises(LookupError, match="an action can use"):
        guarded_getattr("x", "encode")(codec)
    with pytest.raises(LookupError):
        guarded_getattr(b"x", "decode")(codec)
    assert guarded_getattr("x", "encode")(encoding="UTF_8", errors="replace") == b"x"
    with pytest.raises(TypeError):
        check_codec(5)


@pytest.mark.parametrize("value", [[], {}, collections.Counter(), collections.deque(), types.SimpleNamespace()])
def test_writable(value: object) -> None:
    """Values that an author made can be changed."""
    assert guards.guarded_write(value) is value


@pytest.mark.parametrize("value", [(), "x", len, ValueError("x"), int, None, frozenset(), lambda: 1, types])
def test_not_writable(value: object) -> None:
    """Anything else cannot."""
    with pytest.raises(TypeError, match="cannot be changed"):
        guards.guarded_write(value)


def test_kwargs() -> None:
    """Names after `**` obey the rule for keyword names in source: text, no leading underscore."""
    kwargs = guards.GUARDS["_kwargs_"]
    assert kwargs({"a": 1}) == {"a": 1}
    for wrong in ({"_a": 1}, {1: 1}, [("a", 1)], collections.OrderedDict(a=1)):
        with pytest.raises(TypeError):
            kwargs(wrong)


class Hidden(BaseException):
    """Stands for a control exception of the host."""


def test_exception_guards() -> None:
    """`except` and `raise` take exceptions that derive from Exception, and nothing a host keeps for itself."""
    kinds, throw, cause = (guards.GUARDS[name] for name in ("_exception_type_", "_raise_", "_cause_"))
    catch = partial(kinds, None)
    error = ValueError("x")
    assert catch(ValueError) is ValueError
    assert catch((KeyError, ValueError)) == (KeyError, ValueError)
    assert throw(error) is error
    assert throw(KeyError) is KeyError
    assert cause(None) is None
    assert cause(error) is error
    for wrong in (BaseException, Hidden, SystemExit, Interrupted, int, 5, None, "x"):
        with pytest.raises(TypeError):
            catch(wrong)
        with pytest.raises(TypeError):
            catch((ValueError, wrong))
        with pytest.raises(TypeError):
            throw(wrong)
    for wrong_instance in (Hidden(), SystemExit(1), Interrupted(1)):
        with pytest.raises(TypeError):
            throw(wrong_instance)
        with pytest.raises(TypeError):
            cause(wrong_instance)


def test_foreign_exception_shows_args_only() -> None:
    """An unregistered exception class shows its arguments, takes a note, and shows nothing else."""

    class Foreign(Exception):
        secret = "s"

    assert guarded_getattr(Foreign(1), "args") == (1,)
    for name in ("secret", "with_traceback", "__notes__", "__context__"):
        with pytest.raises(AttributeError):
            guarded_getattr(Foreign(1), name)


def test_guard_names_cannot_be_written_by_authors() -> None:
    """Every guard has a name that begins and ends with an underscore, which the language refuses everywhere."""
    assert all(name[0] == name[-1] == "_" and name[1] != "_" for name in guards.GUARDS)
