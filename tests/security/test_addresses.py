"""No action sees a memory address, nor by the order of a set what the login before had given back.

What is hashed by its address gets into no set and is no key of a dict; each way is tried beside plain Python, in which
it works. Then a sender and a receiver share a worker: the receiver's text does not depend on what the sender knew.
"""

# ruff: noqa: E501  tables of bodies of actions

from __future__ import annotations

import collections
import json
import marshal
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.doctor.desk import Desk, desk
from sandbox.language import compiler
from sandbox.reach import environment, keys
from sandbox.reach.interrupts import reset
from tests.action_body import value
from tests.security.test_state_by_name import handler, in_plain_python

ROOT = Path(__file__).parents[2]
BUDGET_US = 3_000_000

# By its address each: how it is made.
BY_ADDRESS = {
    "a function": "lambda: 0",
    "a builtin": "len",
    "a bound method of C": "'x'.upper",
    "a bound method of an action's function": "[].append",
    "a class": "dict",
    "a class that stands in": "type('')",
    "an exception class": "ValueError",
    "a class of the action's own": "collections.namedtuple('P', 'x')",
    "an exception": "ValueError('x')",
    "a generator": "(x for x in ())",
    "an iterator": "iter([])",
    "a map": "map(str, [])",
    "a partial": "functools.partial(print)",
    "values of a dict": "{}.values()",
    "a hash object": "hashlib.sha256()",
    "a match": "re.match('a', 'a')",
    "a pattern": "re.compile('a')",
    "a module": "json",
    "the ellipsis": "...",
    "a zone without an offset": "datetime.tzinfo()",
    "a union of classes": "int | str",
    "a name of typing": "typing.Any",
    "a tuple with one": "(1, lambda: 0)",
    "a tuple with a tuple with one": "(1, ('a', len))",
    "a named tuple with one": "collections.namedtuple('P', 'x')(len)",
}
IMPORTS = "import collections, datetime, functools, hashlib, itertools, json, operator, re, typing\n"

TO_SET = {
    "a display": "return {THING}",
    "a display with others": "return {1, 2, THING}",
    "a star in a display": "return {*[THING]}",
    "a comprehension": "return {x for x in [THING]}",
    "set": "return set([THING])",
    "set of an iterator": "return set(map(lambda x: THING, [1]))",
    "set of a dict's values": "return set({1: THING}.values())",
    "set of a dict's items": "return set({1: THING}.items())",
    "set as a function": "return list(map(set, [[THING]]))",
    "set as a factory": "d = collections.defaultdict(set)\nd[1].add(THING)\nreturn d[1]",
    "frozenset": "return frozenset([THING])",
    "add": "s = set()\ns.add(THING)\nreturn s",
    "add by way of the class": "s = set()\nset.add(s, THING)\nreturn s",
    "add by getattr": "s = set()\ngetattr(s, 'add')(THING)\nreturn s",
    "update": "s = set()\ns.update([1], [THING])\nreturn s",
    "union": "return {1}.union([THING])",
    "union of a frozenset": "return frozenset([1]).union([THING])",
    "union by way of the class": "return functools.reduce(set.union, [{1}, [THING]])",
    "symmetric difference": "return {1}.symmetric_difference([THING])",
    "symmetric difference in place": "s = {1}\ns.symmetric_difference_update([THING])\nreturn s",
    "| with keys": "return {1: 2}.keys() | [THING]",
    "| with keys on the right": "return [THING] | {1: 2}.keys()",
    "^ with keys": "return {1: 2}.keys() ^ [THING]",
    "| with items": "return {1: 2}.items() | [THING]",
    "items - nothing": "return {1: THING}.items() - []",
    "items & items": "d = {1: THING}\nreturn d.items() & d.items()",
    "items ^ nothing": "return {1: THING}.items() ^ ()",
    "items | a set": "return {1: THING}.items() | {1}",
    "operator.or_": "return operator.or_({1: 2}.keys(), [THING])",
    "operator.and_": "d = {1: THING}\nreturn operator.and_(d.items(), d.items())",
    "|= of keys": "ks = {1: 2}.keys()\nks |= [THING]\nreturn ks",
    "-= of items": "its = {1: THING}.items()\nits -= []\nreturn its",
    "^= in a list": "box = [{1: 2}.keys()]\nbox[0] ^= [THING]\nreturn box[0]",
    "&= in a namespace": "import types\nd = {1: THING}\nns = types.SimpleNamespace(a=d.items())\nns.a &= list(d.items())\nreturn ns.a",
    "|= of a set and items": "s = {1}\ns |= {1: THING}.items()\nreturn s",
    "a walk while it is filled": "s = {1}\ndef fill():\n    yield_ = THING\n    return [yield_]\ns.update(x for x in fill())\nreturn s",
}  # fmt: skip

TO_DICT = {
    "a display": "return {THING: 1}",
    "a comprehension": "return {x: 1 for x in [THING]}",
    "an item": "d = {}\nd[THING] = 1\nreturn d",
    "an item in a loop": "d = {}\nfor d[THING] in [1]:\n    pass\nreturn d",
    "an item of several": "d = {}\nd[THING], x = 1, 2\nreturn d",
    "an augmented item": "d = collections.defaultdict(int)\nd[THING] += 1\nreturn d",
    "an item that is read": "d = collections.defaultdict(int)\nd[THING]\nreturn d",
    "dict": "return dict([(THING, 1)])",
    "dict of a zip": "return dict(zip([THING], [1]))",
    "fromkeys": "return dict.fromkeys([THING])",
    "fromkeys of an ordered one": "return collections.OrderedDict.fromkeys([THING])",
    "setdefault": "d = {}\nd.setdefault(THING, 1)\nreturn d",
    "update": "d = {}\nd.update([(THING, 1)])\nreturn d",
    "update by way of the class": "d = {}\ndict.update(d, [(THING, 1)])\nreturn d",
    "|=": "d = {}\nd |= [(THING, 1)]\nreturn d",
    "a count": "return collections.Counter([THING])",
    "a count of more": "c = collections.Counter()\nc.update([THING])\nreturn c",
    "a count of less": "c = collections.Counter()\nc.subtract([THING])\nreturn c",
    "an ordered dict": "return collections.OrderedDict([(THING, 1)])",
    "a dict with a default": "return collections.defaultdict(int, [(THING, 1)])",
}  # fmt: skip


REFUSED = "cannot be a dict key or a set member: use a text instead, such as its name"


def tried(way: str, things: list[str]) -> str:
    """Return the body that gives each thing to a way, and what is said to each."""
    lines = "".join(f"    {line}\n" for line in way.split("\n"))
    return (
        f"{IMPORTS}import decimal\ndef way(THING):\n{lines}said = []\nfor thing in [{', '.join(things)}]:\n"
        "    try:\n        way(thing)\n        said.append('taken')\n"
        "    except TypeError as error:\n        said.append(str(error))\nreturn said"
    )


def plainly(body: str) -> object:
    """Run a body in plain Python; return what it returned."""
    names: dict[str, object] = {}
    exec("def body():\n" + "".join(f"    {line}\n" for line in body.split("\n")), names)  # noqa: S102 - our own text
    return names["body"]()  # type: ignore[operator]  # a function, by its text


@pytest.mark.parametrize("way", [*TO_SET, *(f"a dict: {way}" for way in TO_DICT)])
def test_nothing_that_is_hashed_by_its_address_gets_into_a_set_or_a_dict(way: str) -> None:
    """Each thing that is hashed by its address is refused on each way in; plain Python takes it."""
    body = tried(TO_SET.get(way) or TO_DICT[way.removeprefix("a dict: ")], [*BY_ADDRESS.values()])
    assert plainly(body) == ["taken"] * len(BY_ADDRESS), "control"
    said = value(body)
    assert [(name, word) for name, word in zip(BY_ADDRESS, said, strict=True) if REFUSED not in word] == []


NANS = [
    "float('nan')",
    "(1, float('nan'))",
    "decimal.Decimal('nan')",
    "decimal.Decimal('snan')",
    "(1e999 - 1e999) * 1j",
]


@pytest.mark.parametrize("way", TO_SET)
def test_a_set_has_no_nan(way: str) -> None:
    """A NaN is hashed by its address too."""
    said = value(tried(TO_SET[way], NANS[:3]))
    assert [word for word in said if "a NaN has no place in a set" not in word] == []


def test_a_nan_may_be_a_key() -> None:
    """A dict shows no hash; and of a set that has none every other number is a member."""
    assert value(tried("return {THING: 1}[THING]", NANS[:1] + NANS[2:3] + NANS[4:])) == ["taken"] * 3
    assert value(tried("return {THING}", ["1.5", "float('inf')", "2j", "decimal.Decimal('Infinity')"])) == ["taken"] * 4
    assert "has no place in a set" in value(tried("return {THING}", NANS[4:]))[0]


ORDINARY = [
    ("{None, True, 'a', b'b', 2, 2.5, (1, None), frozenset([3])}", {None, True, "a", b"b", 2, 2.5, (1, None), frozenset([3])}),
    ("{None: 1, True: 2, 'a': 3, 2.5: 4, (1, None): 5}", {None: 1, True: 2, "a": 3, 2.5: 4, (1, None): 5}),
    ("set('abc') | {'d'}, {1, 2} & {2}, {1, 2} - {2}, {1} ^ {2}", ({*"abcd"}, {2}, {1}, {1, 2})),
    ("{1: 2}.keys() | {3}, {1: 2}.items() - {(1, 2)}, {1: 2}.keys() & [1]", ({1, 3}, set(), {1})),
    ("dict(a=1), dict([(1, 2)]), dict({1: 2}, b=3), dict()", ({"a": 1}, {1: 2}, {1: 2, "b": 3}, {})),
    ("dict.fromkeys('ab'), dict.fromkeys([1], 2)", ({"a": None, "b": None}, {1: 2})),
    ("set(), frozenset(), set([1]).union('a', [2]), frozenset([1]) == {1}", (set(), frozenset(), {1, "a", 2}, True)),
    ("isinstance(set(), set), isinstance({}, (list, dict)), type({1}) is set, type({}) == dict", (True, True, True, True)),
    ("issubclass(dict, dict), issubclass(dict, set), isinstance(1, set | dict), dict[str, int] is dict", (True, False, False, True)),
    ("None in {None, 1}, 'a' not in {'b'}, 1 in {1, 2, 3}, (1, 2) in {(1, 2)}", (True, True, True, True)),
    ("import datetime, decimal, uuid, ipaddress\nx = {datetime.date(2024, 1, 2), datetime.timedelta(1), decimal.Decimal(1),"
     " uuid.NAMESPACE_DNS, ipaddress.ip_address('10.0.0.1'), datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)}\n"
     "return len(x | x)", 6),
    ("import collections\nP = collections.namedtuple('P', 'x y')\nreturn {P(1, 2): 3}[P(1, 2)], len({P(1, 2), P(1, 2)})", (3, 1)),
    ("import collections\nc = collections.Counter('aab')\nc.update('b')\nc.update({'c': 2}, d=1)\nc.subtract(['a'])\nc.subtract(a=1)\nreturn dict(c)",
     {"a": 0, "b": 2, "c": 2, "d": 1}),
    ("d = {}\nd.update({1: 2})\nd.update([(3, 4)], e=5)\nd |= {6: 7}\nd |= [(8, 9)]\nreturn d, d.setdefault(1), d.setdefault(0, 1)",
     ({1: 2, 3: 4, "e": 5, 6: 7, 8: 9, 0: 1}, 2, 1)),
    ("s = {1}\nt = s\ns |= {2}\ns -= {1}\ns ^= {3}\ns &= {2, 3}\nreturn t, s is t", ({2, 3}, True)),
    ("x = 7\ny = 3\nx -= y\nx |= y\nx ^= 1\nx &= 6\nreturn x, x - y, 5 | y, y & 2", (6, 3, 7, 2)),
    ("log = []\nd = {'a': 10}\ndef right():\n    d['a'] = 0\n    return 1\ndef at():\n    log.append(1)\n    return 'a'\nd[at()] -= right()\nreturn d, log", ({"a": 9}, [1])),
    ("import datetime\nday = datetime.date(2024, 1, 2)\nday -= datetime.timedelta(1)\nreturn str(day), (day - day).days", ("2024-01-01", 0)),
    ("import functools, operator\nreturn functools.reduce(operator.or_, [{1}, {2}]), operator.and_(6, 3)", ({1, 2}, 2)),
    ("{x % 3 for x in range(9)}, {x: y for x, y in [(1, 2)]}, {*'ab', 1}", ({0, 1, 2}, {1: 2}, {"a", "b", 1})),
    ("import collections\nd = collections.defaultdict(set)\nd['a'].add(1)\nd[None].update([2])\nreturn dict(d)", {"a": {1}, None: {2}}),
    ("def f():\n    return 1\nreturn {'f': f, 'g': len}['f']()", 1),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), ORDINARY)
def test_ordinary_keys_and_members_work(body: str, wanted: object) -> None:
    """None, texts, numbers, dates, tuples of them and dispatch by name are as in Python."""
    assert value(body) == wanted


@pytest.mark.parametrize("body", ["{[1]}", "{{}: 1}", "{(1, [2])}", "{1: 2}.keys() | [[]]", "set([{1}])"])
def test_what_has_no_hash_is_refused_as_in_python(body: str) -> None:
    """The interpreter's own words."""
    with pytest.raises(TypeError, match=r"^unhashable type: '(list|dict|set)'$"):
        value(body)


def test_every_type_that_may_be_a_key_is_hashed_by_value() -> None:
    """None of those that the facades have registered inherits the hash of `object`, but None itself."""
    by_address = {object.__hash__, type.__hash__, type(len).__hash__, type([].append).__hash__}
    for kind in keys.KEYS - {type(None)}:
        assert kind.__hash__ not in by_address, kind


NONE_HASH = (
    "import sys, gc; sys.path[:0] = [sys.argv[1]]\n"
    "def fixed(key):\n"
    "    return key is None or isinstance(key, (tuple, frozenset)) and any(map(fixed, key))\n"
    "import json\n"
    "from sandbox.reach import none_hash\n"
    "seen, todo = set(), [sys.modules, *gc.get_objects()]\n"
    "while todo:\n"
    "    one = todo.pop()\n"
    "    if id(one) in seen or one is todo or one is seen:\n"
    "        continue\n"
    "    seen.add(id(one))\n"
    "    if isinstance(one, (dict, set, frozenset)) and any(map(fixed, list(one))):\n"
    "        print('early', list(map(str, one)))\n"
    "    todo += gc.get_referents(one)\n"
    "before = hash(None)\n"
    "none_hash.fix(); none_hash.fix()\n"
    "print(hash(None), hash((1, None)), hash(range(0)), {None: 1}[None], None in set([1, None]))\n"
    "print(before)\n"
)


def test_none_is_hashed_alike_in_every_process() -> None:
    """What the zygote does first; and nothing that was there before has None for a key but a table of ctypes."""
    told = [
        subprocess.run([sys.executable, "-s", "-P", "-c", NONE_HASH, str(ROOT)], capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        for _ in range(3)
    ]  # fmt: skip
    early = [line for line in told[0] if line.startswith("early")]
    assert all("ctypes.c_wchar" in line for line in early), early
    assert len({lines[-2] for lines in told}) == 1
    assert told[0][-2].endswith(" 1 True")
    # Debian's own python3.11 lies at one address in every process, and so does its None.
    with open(sys.executable, "rb") as file:
        movable = file.read(18)[16:] == b"\3\0"
    if sys.version_info < (3, 12) and movable and Path("/proc/sys/kernel/randomize_va_space").read_text() != "0\n":
        assert len({lines[-1] for lines in told}) > 1, "control"


# A channel of memory layout: how a thing is made, and how the receiver brings many into an order.
MADE = {
    "functions": "lambda: n",
    "generators": "(x for x in ())",
    "NaNs": "float('nan') * (n + 1)",
    "tuples with functions": "(n, lambda: n)",
    "bound methods": "[n].append",
    "exceptions": "ValueError(n)",
    "iterators": "iter([n])",
}
ORDERS = {
    "a set": "list(set(made))",
    "keys and a list": "list({}.keys() | made)",
    "a frozenset": "list(frozenset(made))",
    "a set that pops": "(lambda s: [s.pop() for n in range(len(s))])({*made})",
}
COUNT = 48

SENDER = """secret = 'SECRET'
bits = [(ord(c) >> b) & 1 for c in secret for b in range(8)]
made = [MADE for n in range(COUNT)]
for n, bit in enumerate(bits):
    first, second = (2 * n, 2 * n + 1) if bit else (2 * n + 1, 2 * n)
    made[first] = None
    made[second] = None"""
RECEIVER = """made = [MADE for n in range(COUNT)]
def place(thing):
    for at, one in enumerate(made):
        if one is thing:
            return at
    return -1
try:
    return [place(thing) for thing in ORDER]
except TypeError as error:
    return 'refused: ' + str(error)"""


def pair(made: str, order: str, secret: str) -> list[str]:
    """Return a sender's action and a receiver's."""
    parts = {"MADE": MADE[made], "ORDER": ORDERS[order], "SECRET": secret, "COUNT": str(COUNT)}
    sources = []
    for source in (SENDER, RECEIVER):
        for name, text in parts.items():
            source = source.replace(name, text)
        sources.append(handler(source))
    return sources


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sat() -> AsyncIterator[Desk]:
    """One worker after the other, each of which serves until it wants to go."""
    async with desk() as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("order", ORDERS)
async def test_a_receiver_learns_nothing_from_a_sender(sat: Desk, order: str) -> None:
    """Whatever the sender had given back in whatever order, the receiver says the same, and so after no login at all."""
    for made in MADE:
        heard = []
        for secret in ("", "ab", "~!", "ab"):
            send, receive = pair(made, order, secret)
            if secret:
                assert (await sat.login(send, BUDGET_US)).verdict == "COMPLETED"
            heard.append((await sat.login(receive, BUDGET_US)).steps)
        assert len(set(heard)) == 1, (made, order)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "digest", ["hashlib.sha3_256(b'a')", "hashlib.new('sha1', b'a')", "hmac.new(b'k', b'm', 'blake2b')"]
)
async def test_no_execution_sees_where_the_memory_of_openssl_ends(sat: Desk, digest: str) -> None:
    """A digest that finds no memory says ValueError, which an action may catch."""
    body = f"""
kept = []
try:
    while True:
        kept.append({digest})
except ValueError:
    print(len(kept))
    return
"""
    answer = await sat.login(f"import hashlib, hmac\n{handler(body)}", 5_000_000)
    assert (answer.verdict, answer.report.output) == ("EXHAUSTED", ""), answer.text
    assert answer.report.error_type == "MemoryLimitExceeded"


@pytest.mark.asyncio(loop_scope="module")
async def test_no_execution_sees_where_the_memory_ends(sat: Desk) -> None:
    """How much fits depends on what earlier logins did with the memory: an execution that has run out of it ends."""
    for catch in ("except MemoryError:\n    pass", "except Exception:\n    pass", "finally:\n    n = 0"):
        body = f"kept = []\ntry:\n    while True:\n        kept.append('x' * 100000)\n{catch}\nkept.clear()\nprint('seen')\nreturn 1"
        answer = await sat.login(handler(body), BUDGET_US)
        assert (answer.verdict, answer.report.output) == ("EXHAUSTED", ""), answer.text
        assert answer.report.error_type == "MemoryLimitExceeded"


def test_control_in_plain_python_a_receiver_learns_what_was_sent() -> None:
    """Control: in one process of plain Python what is received depends on what was sent."""
    told = collections.Counter[str]()
    for made in MADE:
        heard = {tuple(in_plain_python(pair(made, "a set", secret))[1:]) for secret in ("ab", "cd", "~!")}
        told[made] = len(heard)
    assert sum(count > 1 for count in told.values()) >= 4, told


TEXTS = """import collections, datetime, decimal, functools, hashlib, hmac, ipaddress, itertools, json, operator, re, typing, uuid
def told(f, *args):
    try:
        return str(f(*args))
    except Exception as error:
        return [type(error) is TypeError, str(error), repr(error), repr(error.args)]
P = collections.namedtuple('P', 'x y')
words = ['w%d' % n for n in range(40)]
numbers = [n * 7919 for n in range(40)]
sets = [
    {None, *words}, {None, *numbers}, set(zip(words, numbers)), {(None, n) for n in words}, {1.5, None, 'a', b'a', (None,)},
    frozenset([*words, None]), {8, 0, 16, 7, 15, 23, 31}, {'a', 'b', 'c', None}, dict.fromkeys(words).keys() ^ {None, 'w1'},
    {P(None, n) for n in numbers}, {range(n, n) for n in range(3)}, {decimal.Decimal(n) / 7 for n in numbers},
    {uuid.uuid5(uuid.NAMESPACE_DNS, w) for w in words}, {datetime.timedelta(n) for n in numbers}, {float(n) for n in numbers},
    {ipaddress.ip_address(n) for n in numbers}, {n.encode() for n in words}, {frozenset([n, None]) for n in words},
]
things = [
    len, told, words.append, 'x'.upper, P, dict, (x for x in ()), iter([]), iter('a'), map(str, []), zip(), enumerate([]),
    functools.partial(told, len), functools.cmp_to_key(told)(1), hashlib.sha256(), hashlib.blake2b(), hmac.new(b'', b'', 'md5'),
    re.compile('a'), re.match('a', 'a'), json, ..., typing.Any, datetime.tzinfo(), itertools.repeat(1, 2), {}.values(), reversed([1]),
    operator.itemgetter(1), ValueError(len), event, event.user, api, api.access, type(len), type(None), print, str, set,
]
texts = [f(t) for t in things for f in (str, repr, ascii, lambda t: f'{t} {t!r} {t!s} {t!a}', lambda t: '%s %r %a' % (t, t, t),
    lambda t: '{} {!r}'.format(t, [t]), lambda t: format(t, ''), lambda t: b'%a' % (t,), lambda t: '%.90r' % (t,))
    if not (f is format and t is ...)]
errors = [told(f, *a) for t in things for f, *a in [
    ([].index, t), (int, t), (float, t), ({}.pop, 'k', t), (sorted, [t, 1]), (max, [1, t]), (json.dumps, t), (ipaddress.ip_address, t),
    (decimal.Decimal, t), (getattr, t, 'missing'), (set, [t]), ([].remove, t), (operator.lt, t, t), (re.compile, t),
    (datetime.timedelta, t), (collections.deque().remove, t), ((1,).index, t), ('%d'.format, t), (dict, [t]), (told, t)]]
for text in (*texts, *[str(e) for e in errors]):
    if type(text) is str and ' 0x' in text:
        raise ValueError('an address: ' + text)
import logging
logging.warning('%s %r', things, things)
print(*things, sets)
return hashlib.sha256(repr([list(map(list, sets)), [s.pop() for s in sets if type(s) is set], texts, errors]).encode()).hexdigest()"""

BEFORE = [
    "return 1",
    "x = [[n, lambda: n] for n in range(3000)]\ndel x[::2]\nreturn len(x)",
    "d = {str(n): (n, float('nan')) for n in range(5000)}\nreturn len(d)",
]


async def test_equal_programs_print_equal_text_in_any_worker() -> None:
    """Orders of sets, texts of objects and of errors: the same in workers of several zygotes, each with another past."""
    told = set()
    for before in range(len(BEFORE)):
        async with desk() as made:
            for body in BEFORE[:before]:
                await made.login(handler(body), BUDGET_US)
            answer = await made.login(handler(TEXTS), BUDGET_US)
            assert answer.verdict == "COMPLETED", answer.text[:2000]
            told.add(answer.steps)
            told.add((await made.login(handler(TEXTS), BUDGET_US)).steps)
    assert len(told) == 1


def test_control_plain_python_prints_another_text_in_each_process() -> None:
    """Control: the same objects, without a sandbox, show where they are."""
    program = "import json, hashlib; print(json.dumps([str(len), str(json.dumps), str(hashlib.sha256()), [str(x) for x in {len, print, json.dumps, int}]]))"
    told = {
        subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True, env={"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}).stdout
        for _ in range(4)
    }  # fmt: skip
    assert len(told) > 1
    assert all(" @ 0x" in text and " at 0x" in text for text in map(str, map(json.loads, told)))


LOOKS_LIKE_A_COUNTER = """import collections, types
c = collections.Counter("a")
c += types.SimpleNamespace(items=lambda: [(len, 1)])"""


def test_what_looks_like_a_counter_adds_no_key() -> None:
    """`+=` of a Counter looks at the keys of what is no dict; plain Python, the control, takes them."""
    with pytest.raises(TypeError, match=REFUSED):
        value(LOOKS_LIKE_A_COUNTER + "\nreturn c")
    assert value("import collections\nc = collections.Counter('aab')\nc += {'a': 1}\nreturn dict(c)") == {
        "a": 3,
        "b": 1,
    }
    subprocess.run([sys.executable, "-I", "-c", LOOKS_LIKE_A_COUNTER], check=True, timeout=60)


# Loaded and compiled, a constant of sets is built in another order.
CONSTANTS = "return [list({7, 15, 23, 31, 0, 8}), list(frozenset({'a', 'b', 'c', 'd', None})), {16, 0, 8, 24} | {32}]"


def test_loaded_code_says_what_compiled_code_said() -> None:
    """A worker that loads an action's code from another shows every set in the order of the one that compiled it."""
    code = compiler.compile_action(handler(CONSTANTS))
    said = []
    for one in (code, marshal.loads(marshal.dumps(code))):
        namespace = environment.begin(0, b"seed", environment.ActionOutput())
        try:
            exec(one, namespace)  # noqa: S102 - what the sandbox is for
            said.append(namespace["tried"](None, None))
        finally:
            environment.end()
            reset()
    assert repr(said[0]) == repr(said[1])
