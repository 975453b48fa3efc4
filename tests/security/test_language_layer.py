"""The language layer alone: attacks on the interpreter's inside, each beside its success in plain Python.

No facade, no process wall: builtins are Python's own where the language layer does not provide a guarded one.
"""

# ruff: noqa: E501, RUF001  a table of attacks: one a line, look-alike letters on purpose

from __future__ import annotations

import builtins
import types
from typing import Any

import pytest

from sandbox.language import compiler
from sandbox.reach import guards, registry
from sandbox.reach.attributes import guarded_getattr_builtin, guarded_hasattr_builtin
from sandbox.reach.builtin_types import EXCEPTIONS
from sandbox.reach.facades.base import named
from sandbox.reach.text import safe_format, safe_str

_PLAIN = "all any bool bytes dict enumerate float frozenset int isinstance iter len list map max min next range"
_PLAIN += " repr reversed set slice sorted sum tuple type zip"
GUARDED = {name: getattr(builtins, name) for name in _PLAIN.split()} | EXCEPTIONS
GUARDED |= {
    "getattr": guarded_getattr_builtin,
    "hasattr": guarded_hasattr_builtin,
    "setattr": guards.guarded_setattr_builtin,
    "str": safe_str,
    "format": safe_format,
}

HEAD = "def on_execute_post_login(event, api):\n"


class Host:
    """What an attacker starts from: an object of ours with a method, a secret beside it, and one open name."""

    _exposed_ = frozenset({"deny"})

    def __init__(self) -> None:
        self.secret = "LOOT"

    def deny(self, reason: str) -> Host:
        """Be the one thing that is open."""
        return self


def _body(code: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in code.strip().splitlines())


def _plain(code: str) -> object:
    """Run without the layer: Python's own builtins and compiler."""
    namespace: dict[str, Any] = {"__builtins__": builtins}
    exec(compile(_body(code), "<action>", "exec", dont_inherit=True), namespace)  # noqa: S102  what is tested, and its control
    return namespace["on_execute_post_login"](Host(), Host())


def _guarded(code: str) -> object:
    """Run with the layer; a refusal and an error are both answers."""
    try:
        compiled = compiler.compile_action(_body(code))
    except compiler.Rejected as rejected:
        return rejected
    namespace: dict[str, Any] = {"__builtins__": dict(GUARDED), **guards.GUARDS}
    try:
        exec(compiled, namespace)  # noqa: S102  what is tested, and its control
        return namespace["on_execute_post_login"](Host(), Host())
    except Exception as error:  # noqa: BLE001  whatever stopped it is the answer
        return error


# Attack -> code that returns something true in plain Python.
ATTACKS = {
    "class walk": "return [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'BuiltinImporter']",
    "class walk by mro": "return str.mro()[-1].__subclasses__()",
    "class walk by mro method alone": "return str.mro()",
    "class walk by getattr": "return getattr(getattr((), '__class__'), '__base__')",
    "class walk by type": "return type(api).__mro__",
    "class walk by type and mro method": "return type(api).mro()",
    "class walk in parts": "return getattr(api, '__cl' + 'ass__')",
    "class walk by joined name": "return getattr(api, ''.join(['_', '_', 'dict', '_', '_']))",
    "bound method to object": "return api.deny.__self__.secret",
    "bound method to globals": "return api.deny.__func__.__globals__",
    "bound method by getattr": "return getattr(api.deny, '__globals__')",
    "builtin to module": "return len.__self__",
    "function globals": "def f():\n    pass\nreturn f.__globals__",
    "function code": "def f():\n    pass\nreturn f.__code__.co_consts",
    "function defaults": "def f(a=1):\n    pass\nf.__defaults__ = (2,)\nreturn f()  is None",
    "lambda closure": "x = 1\nreturn (lambda: x).__closure__[0].cell_contents",
    "generator frame": "g = (x for x in [1])\nreturn g.gi_frame.f_back or g.gi_frame.f_globals",
    "generator frame while running": "g = [None]\ng[0] = (g[0].gi_frame.f_back for _ in [1])\nreturn list(g[0])",
    "generator frame by getattr": "return getattr((x for x in [1]), 'gi_frame')",
    "generator code": "return (x for x in [1]).gi_code",
    "generator throw": "g = (x for x in [1])\nreturn g.throw",
    "traceback frame": "try:\n    1 / 0\nexcept Exception as e:\n    return e.__traceback__.tb_frame.f_back",
    "traceback by with_traceback": "return ValueError('x').with_traceback",
    "traceback by tb_frame": "try:\n    1 / 0\nexcept Exception as e:\n    return getattr(e.__traceback__, 'tb_frame')",
    "exception object": "try:\n    api.nope\nexcept AttributeError as e:\n    return e.obj",
    "exception object of a method": "try:\n    api.deny.nope\nexcept AttributeError as e:\n    return e.obj",
    "exception context": "try:\n    try:\n        1 / 0\n    finally:\n        [][0]\nexcept Exception as e:\n    return e.__context__",
    "exception note": "e = ValueError()\ne.add_note('x')\nreturn e.__notes__",
    "import error name": "try:\n    import nowhere\nexcept ImportError as e:\n    return e.name",
    "stop iteration value": "try:\n    next(iter([]))\nexcept StopIteration as e:\n    e.value = 1\n    return e.value",
    "format string to attributes": "return '{0.secret}'.format(api) == 'LOOT'",
    "format string to globals": "return '{0.deny.__func__.__globals__}'.format(api)",
    "format string by map": "return '{a.__class__}'.format_map({'a': api})",
    "format string by class": "return str.format('{0.__class__}', api)",
    "format string by method object": "f = '{0.__class__}'.format\nreturn f(api)",
    "format string by getattr": "return getattr('{0.__class__}', 'format')(api)",
    "format string in a spec": "return '{0:{1.secret}}'.format(1, api) if 0 else '{1.secret}'.format(1, api)",
    "format string by map function": "return list(map('{0.__class__}'.format, [api]))",
    "format string item then attribute": "return '{0[0].__class__}'.format([api])",
    "f-string to attributes": "return f'{api.__class__}'",
    "f-string debug": "return f'{api.deny.__func__=}'",
    "f-string spec": "return f'{1:{api.secret[:0]}}'",
    "f-string in f-string": "return f'{f\"{api.__class__}\"}'",
    "descriptor get": "return str.upper.__get__('a')()",
    "descriptor of a class": "return type(api).deny.__get__(api)",
    "property object": "return type(api).__dict__['deny']",
    "vars": "return vars(api)",
    "dir": "return dir(api)",
    "globals": "return globals()",
    "locals": "return locals()",
    "eval": "return eval('1')",
    "exec": "exec('x = 1')\nreturn True",
    "compile": "return compile('1', 'x', 'eval')",
    "open": "return open",
    "import": "import os\nreturn os.getcwd()",
    "import with alias": "import os.path as p\nreturn p.os",
    "import from": "from os import getcwd\nreturn getcwd()",
    "import function": "return __import__('os')",
    "import of sys.modules by attribute": "from json import decoder\nreturn decoder",
    "import of a look-alike": "import ｏｓ\nreturn os.getcwd()",
    "builtins name": "return __builtins__",
    "loader": "return __loader__",
    "look-alike attribute": "return api.𝓈ecret",
    "look-alike dunder": "return api.__𝒸lass__",
    "look-alike function": "return 𝘦𝘷𝘢𝘭('1')",
    "look-alike keyword": "return dict(**{'_x': 1}) if 0 else dict(_𝓍=1)",
    "class definition": "class A:\n    pass\nreturn A()",
    "class with three-argument type, attributes": "return type('T', (), {'x': 1})().x",
    "metaclass": "class M(type):\n    pass\nreturn M('A', (), {})",
    "match on attributes": "match api:\n    case object(secret=s):\n        return s",
    "match class walk": "match api:\n    case object(__class__=c):\n        return c",
    "with": "class A:\n    def __enter__(self):\n        return 1\n    def __exit__(self, *a):\n        return True\nwith A() as a:\n    return a",
    "decorator": "def d(f):\n    return f.__globals__\n@d\ndef f():\n    pass\nreturn f",
    "exception group": "try:\n    raise ExceptionGroup('x', [ValueError()])\nexcept* ValueError as e:\n    seen = e\nreturn True",
    "async": "async def f():\n    pass\nc = f()\nx = c.cr_frame\nc.close()\nreturn x",
    "generator function": "def f():\n    x = yield\ng = f()\nreturn g.gi_frame",
    "write to an object": "api.deny = 1\nreturn api.deny",
    "write by setattr": "setattr(api, 'secret', 'x')\nreturn api.secret",
    "write to a class by setattr": "setattr(type(api), 'marker', 1)\nx = api.marker\ndelattr(type(api), 'marker')\nreturn x",
    "write to a function": "def f():\n    pass\nf.x = 1\nreturn f.x",
    "write by augmented assignment": "api.secret += 'x'\nreturn api.secret",
    "write by unpacking": "api.secret, x = 1, 2\nreturn api.secret",
    "write by a for loop": "for api.secret in [1]:\n    pass\nreturn api.secret",
    "write by a with statement": "x = [1]\nwith x[0] as api.secret:\n    pass",
    "write by a comprehension": "[0 for api.secret in [1]]\nreturn api.secret",
    "delete an attribute": "del api.secret\nreturn not hasattr(api, 'secret')",
    "unlisted attribute": "return api.secret",
    "unlisted attribute by getattr": "return getattr(api, 'secret', None)",
    "unlisted attribute in the middle": "return api.secret.upper()",
    "codec": "return b'789c030000000001'.decode('hex_codec') if 0 else 'a'.encode('punycode')",
    "private keyword": "return dict(_x=1)",
    "private keyword by dict": "return dict(**{'_x': 1})",
    "system exit": "try:\n    raise SystemExit(1)\nexcept SystemExit:\n    return True",
    "system exit by exception walk": "return Exception.__base__",
    "base exception": "try:\n    raise BaseException\nexcept BaseException:\n    return True",
    "id": "return id(api)",
    "hash": "return hash(api)",
    "address by repr in an f-string": "return '0x' in f'{api.deny!r}'",
    "address by percent": "return '0x' in '%r' % api.deny",
    "address by format": "return '0x' in '{!r}'.format(api.deny)",
    "module of a class": "return type(api).__module__",
    "name of a class to more of it": "return type(api).__name__ and type(api).__qualname__",
    "generator function frame": "def g():\n    yield 1\nreturn g().gi_frame.f_globals",
    "generator function throw": "def g():\n    yield 1\nreturn g().throw",
    "generator that yields from its frame": "def g():\n    yield from [h.gi_frame]\nh = g()\nreturn list(h)",
    "with a manager of its own": "import contextlib\n@contextlib.contextmanager\ndef m():\n    yield 'LOOT'\nwith m() as x:\n    return x",
    "method in a class": "class A(ValueError):\n    def __str__(self):\n        return 'LOOT'\nreturn str(A())",
    "slot in a class": "class A(ValueError):\n    __eq__ = lambda self, other: True\nreturn A() == 1",
    "class body": "class A(ValueError):\n    x = [api.secret]\nreturn A.x",
    "class keyword": "class A(ValueError, metaclass=type):\n    pass\nreturn A",
    "class pattern to attributes": "match api:\n    case object(secret=loot):\n        return loot",
    "value pattern to attributes": "match 'LOOT':\n    case api.secret:\n        return True",
    "mapping pattern to attributes": "match api.__dict__:\n    case {'secret': loot}:\n        return loot",
    "name of a module": "return type(api).__module__",
    "docstring": "return api.deny.__doc__",
    "annotations": "def f(x: 1):\n    pass\nreturn f.__annotations__",
    "iterate an object with __getitem__": "return type(api).__class_getitem__ if 0 else [*type('A', (), {'__getitem__': lambda s, i: [1][i]})()]",
    "debug constant": "return __debug__",
}  # fmt: skip

# Failing in plain Python too, in the form written here; what counts is that the layer says no on its own.
_NO_CONTROL = {"write by a with statement"}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name: str) -> None:
    """An attack that brings something home in plain Python is refused or fails under the language layer."""
    if name not in _NO_CONTROL:
        assert _plain(ATTACKS[name]), "the attack itself is dead"
    answer = _guarded(ATTACKS[name])
    assert isinstance(answer, Exception) or not answer, answer


def test_control_of_the_harness() -> None:
    """What is open works in the very harness that refuses the attacks."""
    assert isinstance(_guarded("return api.deny('x')"), Host)
    assert _guarded("return f'{1 + 1}'") == "2"


@pytest.mark.parametrize("guard", sorted(guards.GUARDS))
@pytest.mark.parametrize(
    "binding",
    [
        "{0} = 1",
        "({0} := 1)",
        "x = {0}",
        "{0}(api, 'secret')",
        "del {0}",
        "for {0} in []:\n        pass",
        "[0 for {0} in []]",
        "def {0}():\n        pass",
        "def f({0}):\n        pass",
        "f = lambda {0}, /: 1",
        "f = lambda *{0}: 1",
        "f = lambda **{0}: 1",
        "import json as {0}",
        "global {0}",
        "{0}: int = 1",
        "{0} += 1",
        "try:\n        pass\n    except ValueError as {0}:\n        pass",
        "*{0}, x = []",
    ],
)
def test_guard_cannot_be_touched(guard: str, binding: str) -> None:
    """No statement can bind, call or delete a guard; the words of the refusal name it."""
    faults = compiler.check(HEAD + "    " + binding.format(guard) + "\n")
    assert any(guard in fault.message for fault in faults)


def test_from_import_does_not_reach_sys_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from package import name` of a facade without that name fails; the interpreter's own import finds the module."""
    import json.decoder  # in sys.modules, as it will be in a worker

    facade = types.SimpleNamespace(__name__="json")
    namespace: dict[str, Any] = {"__builtins__": {"__import__": lambda *args: facade}}
    code = "from json import decoder"
    exec(compile(code, "<action>", "exec", dont_inherit=True), namespace)  # noqa: S102  what is tested, and its control
    assert namespace["decoder"] is json.decoder

    monkeypatch.setattr(registry, "MODULES", {"json": named("json", {"loads": len})})
    monkeypatch.setattr(guards, "MODULES", registry.MODULES)
    source = "try:\n    from json import decoder\nexcept ImportError:\n    decoder = 'refused'\n"
    namespace = {"__builtins__": dict(GUARDED), **guards.GUARDS}
    exec(compiler.compile_action(source + HEAD + "    pass\n"), namespace)  # noqa: S102  what is tested, and its control
    assert namespace["decoder"] == "refused"


def test_generator_left_behind_runs_nothing() -> None:
    """A generator expression dropped half-way runs no code of the action; a generator function's `finally` does."""
    log: list[Any] = []
    plain = "def g():\n    try:\n        yield 1\n    finally:\n        event.append('late')\nx = g()\nnext(x)\ndel x"
    namespace: dict[str, Any] = {}
    exec(compile(_body(plain), "<action>", "exec", dont_inherit=True), namespace)  # noqa: S102  what is tested, and its control
    namespace["on_execute_post_login"](log, None)
    assert log == ["late"]
    assert isinstance(_guarded(plain), compiler.Rejected)

    log.clear()
    source = HEAD + "    g = (event(x) for x in [1, 2])\n    next(g)\n    del g\n"
    guarded: dict[str, Any] = {"__builtins__": dict(GUARDED), **guards.GUARDS}
    exec(compiler.compile_action(source), guarded)  # noqa: S102  what is tested, and its control
    guarded["on_execute_post_login"](log.append, None)
    assert log == [1]


def test_annotations_are_not_evaluated() -> None:
    """Code in an annotation never runs, wherever it stands; plain Python runs it."""
    log: list[int] = []
    code = "def f(a: event(1), *b: event(2), c: event(3) = 0, **d: event(4)) -> event(5):\n    x: event(6) = 1\n"
    top = "Y: EVENT(7) = 1\nZ: EVENT(8)\n"
    namespace: dict[str, Any] = {"EVENT": log.append}
    exec(compile(top + _body(code), "<x>", "exec", dont_inherit=True), namespace)  # noqa: S102  what is tested, and its control
    namespace["on_execute_post_login"](log.append, None)
    assert sorted(log) == [1, 2, 3, 4, 5, 7, 8]
    log.clear()
    guarded: dict[str, Any] = {"__builtins__": dict(GUARDED), "EVENT": log.append, **guards.GUARDS}
    exec(compiler.compile_action(top + _body(code)), guarded)  # noqa: S102  what is tested, and its control
    guarded["on_execute_post_login"](log.append, None)
    assert log == []
