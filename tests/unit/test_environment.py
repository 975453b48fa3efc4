"""What an execution starts with and what it leaves behind: builtins, clock, randomness, output."""

from __future__ import annotations

import builtins
import contextlib
from pathlib import Path
from typing import Any

import pytest

from sandbox.language import compiler, refusals
from sandbox.reach import builtin_types, environment, guards, reachable
from sandbox.reach.facades.context import CURRENT, OUTPUT_KEPT_BYTES
from sandbox.reach.interrupts import STATE, LimitExceeded, reset
from tests.action_body import ENTRY, run, value

ROOT = Path(__file__).parents[2]


def test_builtins_are_the_list() -> None:
    """The builtins of an action are those of reach.py, the constants, an import that gives no module, and the guards.

    An action cannot name a guard: its names begin with no underscore.
    """
    own = {name for name in environment.BUILTINS if name[:1] != "_"}
    assert own - {"None", "True", "False"} == reachable.BUILTINS
    assert environment.BUILTINS.keys() - own == {"__import__", "_class_", *guards.GUARDS}
    with pytest.raises(ImportError):
        environment.BUILTINS["__import__"]("not_imported_yet")
    assert environment.BUILTINS["__import__"]("os", {}, {}, ["path"], 0) is None


def test_every_builtin_is_given_or_refused() -> None:
    """Every public builtin of Python is either given to actions or refused at check time with a reason."""
    public = {name for name in vars(builtins) if name[:1] != "_"} - {"None", "True", "False"}
    assert public - reachable.BUILTINS <= refusals.NAMES.keys()
    assert not reachable.BUILTINS & refusals.NAMES.keys()


def test_exceptions_agree_with_the_guards() -> None:
    """The exceptions an action can name are those whose attributes the guards know."""
    assert builtin_types.EXCEPTIONS.keys() == reachable.EXCEPTIONS


@pytest.mark.parametrize("name", ["eval", "open", "classmethod", "id", "bytearray", "Warning"])
def test_missing_builtin_is_explained(name: str) -> None:
    """A builtin that is missing is refused at check time, by name, with a reason."""
    faults = compiler.check(f"{ENTRY}    return {name}\n")
    assert [(fault.line, fault.column) for fault in faults] == [(2, 12)]
    assert name in faults[0].message
    assert "because" in faults[0].message


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("import requests", "network"),
        ("import requests.adapters", "network"),
        ("import os.path", "operating system"),
        ("import dattime", "did you mean 'datetime'"),
        ("import nothing_known", "actions can import: base64"),
        ("from time import sleep", "the clock stands still"),
        ("from datetime import datetimee", "did you mean 'datetime'"),
        ("from collections import UserDict", "use dict"),
    ],
)
def test_missing_module_is_explained(statement: str, words: str) -> None:
    """An import that cannot succeed is refused at check time, and at run time where it is tried, with what to use."""
    [fault] = compiler.check(f"{statement}\n{ENTRY}    pass\n")
    assert words in fault.message
    tried = f"try:\n    {statement}\nexcept ImportError as error:\n    return str(error)"
    assert words in value(tried)


def test_submodule_spellings() -> None:
    """A submodule is reached by every spelling of import, and is the same facade by each."""
    body = """
        import urllib.parse
        import urllib.parse as p
        from urllib import parse
        from urllib.parse import quote
        import collections.abc
        return urllib.parse is p is parse and p.quote is quote and collections.abc.Mapping is not None
    """
    assert value(body) is True


def test_modules_cannot_be_changed() -> None:
    """A facade refuses assignment, in the language and by setattr."""
    [fault] = compiler.check(f"import json\n{ENTRY}    import json\n    del json.loads\n")
    assert "del" in fault.message
    with pytest.raises(TypeError, match="modules cannot be changed"):
        run("import json\njson.loads = None")
    with pytest.raises(TypeError, match="modules cannot be changed"):
        run("import json\nsetattr(json, 'loads', None)")
    with pytest.raises(AttributeError):
        environment.MODULES["json"].loads = None
    with pytest.raises(AttributeError):
        del environment.MODULES["json"].loads


def test_namespaces_are_fresh() -> None:
    """What one execution binds is gone in the next; the builtins dict is shared, for nothing can write to it."""
    first = environment.begin(1, b"", environment.ActionOutput())
    first["kept"] = 1
    environment.end()
    second = environment.begin(2, b"", environment.ActionOutput())
    environment.end()
    assert "kept" not in second
    assert second["__builtins__"] is first["__builtins__"] is environment.BUILTINS


@pytest.mark.parametrize(
    "body",
    [
        "__builtins__['len'] = None",
        "len = None",
        "global len\nlen = None",
        "setattr(getattr, 'x', 1)",
        "print.x = 1",
        "str.x = 1",
    ],
)
def test_builtins_stay_as_they_are(body: str) -> None:
    """No attempt to change a builtin shows in the shared dict. Control: the dict can be changed from outside."""
    before = dict(environment.BUILTINS)
    with contextlib.suppress(compiler.Rejected, TypeError, AttributeError):
        run(body)
    assert before == environment.BUILTINS
    environment.BUILTINS["control"] = 1
    assert before != environment.BUILTINS
    del environment.BUILTINS["control"]


def test_randomness_is_the_seed() -> None:
    """The same seed gives the same random, secrets and uuid values; another seed gives others."""
    body = """
        import random, secrets, uuid
        return [random.random(), random.sample(range(1000), 5), secrets.token_hex(), secrets.choice(range(10**6)),
                str(uuid.uuid4()), str(uuid.uuid1())]
    """
    assert value(body, seed=b"a") == value(body, seed=b"a")
    first, second = value(body, seed=b"a"), value(body, seed=b"b")
    assert all(one != other for one, other in zip(first, second, strict=True))


def test_secrets_do_not_follow_random() -> None:
    """What is drawn from random does not change what secrets gives: two streams of one seed."""
    body = "import random, secrets\n{}\nreturn secrets.token_hex()"
    assert value(body.format("random.random()")) == value(body.format("pass"))


def test_nothing_survives_an_execution() -> None:
    """Patterns, log level, randomness and what urllib remembers are gone when the execution has ended."""
    from urllib import parse

    run("""
        import logging, random, re, secrets
        from urllib.parse import urlsplit
        re.search("a", "b"); random.random(); secrets.token_hex(1); logging.basicConfig(level="ERROR")
        urlsplit("https://secret.example.com/")
    """)
    assert CURRENT.patterns == {}
    assert (CURRENT.log_level, CURRENT.now_ns, CURRENT.seed, CURRENT.at_end) == (0, 0, b"", [])
    cached: Any = parse.urlsplit
    assert cached.cache_info().currsize == 0
    assert run("import logging\nlogging.info('seen')")[1] == "INFO seen\n"


def test_print_is_captured() -> None:
    """print goes to the output with sep and end as in Python, without addresses; another file is refused."""
    assert run("print(1, 'a', None, sep='-', end='!')\nprint()\nprint([print, lambda: 0])")[1] == (
        "1-a-None!\n[<function print>, <function on_execute_post_login.<locals>.<lambda>>]\n"
    )
    with pytest.raises(TypeError, match="output only"):
        run("print('x', file=1)")
    with pytest.raises(TypeError, match="sep and end"):
        run("print('x', end=1)")


def test_output_is_capped() -> None:
    """Output beyond the cap is dropped and flagged, cut at a whole character."""
    output = environment.ActionOutput()
    output.write("é" * OUTPUT_KEPT_BYTES)
    assert output.truncated
    assert output.text() == "é" * (OUTPUT_KEPT_BYTES // 2)
    small = environment.ActionOutput(3)
    small.write("aéé")
    assert (small.text(), small.truncated) == ("aé", True)
    exact = environment.ActionOutput(3)
    exact.write("aé")
    exact.write("")
    assert (exact.text(), exact.truncated) == ("aé", False)
    exact.write("b")
    assert exact.truncated


def test_output_flood_is_ended() -> None:
    """Printing more than 1 MiB ends the execution by the limit `output`, which no handler of the action keeps."""
    flood = "try:\n    for i in range(200):\n        print('y' * 10000)\nexcept Exception:\n    pass\nreturn 'went on'"
    try:
        with pytest.raises(LimitExceeded) as caught:
            run(flood)
        assert caught.value.limit == "output"
        assert STATE.interrupted is caught.value
    finally:
        reset()


def test_surrogates_do_not_break_the_reply() -> None:
    """Half a surrogate pair is written as an escape, so that the output always encodes."""
    text = run("print(chr(0xD800))")[1]
    assert text == "\\ud800\n"
    assert text.encode("utf-8")


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("str()", ""),
        ("str(b'\\xc3\\xa9', 'utf-8')", "é"),
        ("str(object=3)", "3"),
        ("str(b'a')", "b'a'"),
        ("bytes('é', 'latin-1')", b"\xe9"),
        ("bytes(3)", b"\0\0\0"),
        ("bytes([1, 2])", b"\1\2"),
        ("type('a') is str and type(b'') is bytes and type(1) is int and type([]) == list", True),
        ("isinstance('a', str) and isinstance('a', (int, str)) and not isinstance(1, str)", True),
        ("isinstance('a', str | int) and issubclass(str, str) and not issubclass(int, str)", True),
        ("sorted(['b', 'A'], key=str.lower)", ["A", "b"]),
        ("list(map(str, [1, None]))", ["1", "None"]),
        ("'a'.translate(str.maketrans('a', 'b'))", "b"),
        ("bytes.fromhex('ff')", b"\xff"),
        ("str.format('{}', 1)", "1"),
        ("type('') is str", True),
        ("repr(str)", "<class 'str'>"),
        ("[type(None), type(print) is type(len), type(print) is int]", [type(None), False, False]),
        ("type(print) == type(print)", True),
        ("isinstance(type(1), type(int)) if False else callable(type)", True),
        ("pow(2, 10)", 1024),
        ("pow(3, -1, 7)", 5),
        ("pow(-1, 10**9 + 1)", -1),
        ("pow(2, 0.5) == 2 ** 0.5", True),
        ("round(7, -10**9)", 0),
        ("round(2.5)", 2),
        ("round(2.567, 2)", 2.57),
        ("[1, 2, 3][slice(1, None)]", [2, 3]),
        ("next(iter([5]))", 5),
        ("next(iter([]), 'none')", "none"),
        ("list(zip([1, 2], 'ab', strict=True))", [(1, "a"), (2, "b")]),
        ("sum([1, 2.5]), max('a', 'b'), min([3, 1]), any([0, 1]), all([])", (3.5, "b", 1, True, True)),
        ("format(3.14159, '.2f') + ascii('é')", "3.14'\\xe9'"),
        (
            "getattr('a', 'nothing', 'default'), hasattr('a', 'upper'), hasattr('a', '__class__')",
            ("default", True, False),
        ),
    ],
)
def test_builtin_answers(expression: str, wanted: object) -> None:
    """A guarded builtin answers as Python's own does."""
    assert value(expression) == wanted


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("pow(10, 10**8)", OverflowError),
        ("pow(2, 3, 1 << 40000)", OverflowError),
        ("type('X', (), {})", TypeError),
        ("type(print)('x')", TypeError),
        ("slice(slice(1))", TypeError),
        ("iter(print)", TypeError),
        ("str('a', 'utf-8')", TypeError),
        ("str(b'a', 'zlib_codec')", LookupError),
        ("bytes('a', 'idna')", LookupError),
        ("bytes(b'a', 'utf-8')", TypeError),
        ("getattr('a', '__class__')", AttributeError),
        ("print(1, file=2)", TypeError),
    ],
)
def test_builtin_refuses(expression: str, error: type[Exception]) -> None:
    """A guarded builtin refuses what would leak, hang or crash."""
    with pytest.raises(error):
        value(expression)


def test_addresses_stay_hidden() -> None:
    """No text an action can make of an object holds an address. Control: Python's own repr does."""
    assert " at 0x" in repr(run) + repr(iter([]))
    body = """
        import functools, logging
        things = [lambda: 0, iter([]), functools.partial(print), print, map(str, []), {}.keys()]
        for thing in things:
            print(thing, str(thing), repr(thing), f"{thing} {thing!r}", "%s" % (thing,), "{}".format(thing), [thing])
            logging.info("%s %r", thing, thing)
            logging.info(thing)
        return ascii(things) + format(things) + str({"a": things})
    """
    returned, printed = run(body)
    assert "0x" not in returned + printed
