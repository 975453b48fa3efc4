"""Calls of C code that no signal interrupted: each ends with the author's line now, and its worker serves the next login.

The control shows a few of them in plain Python, where an alarm rings in vain.
"""

# ruff: noqa: E501  a table of calls

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.doctor.desk import Desk, desk
from tests.action_body import value

BUDGET_US = 20_000

IMPORTS = (
    "import base64, collections, decimal, functools, hashlib, itertools, math, operator, random, re, statistics,"
    " string, unicodedata\n"
)

ENDLESS = [
    "sum(itertools.repeat(0))", "sum(itertools.count())", "sum(itertools.cycle([1]))", "sum(itertools.repeat(0.5), 0.0)",
    "sum(itertools.chain([1], itertools.repeat(0)))", "sum(itertools.chain.from_iterable(itertools.repeat([1])))",
    "sum(itertools.accumulate(itertools.repeat(0)))", "sum(itertools.islice(itertools.count(), 10 ** 12))",
    "sum(itertools.compress(itertools.repeat(0), itertools.repeat(1)))", "sum(itertools.starmap(max, itertools.repeat((1, 2))))",
    "sum(map(int, itertools.repeat(0)))", "sum(iter(int, 1))", "sum(itertools.repeat(1, 10 ** 12))",
    "sum(collections.Counter({0: 10 ** 12}).elements())", "sum([[0]] * 10 ** 5, [])", "sum([(0,)] * 10 ** 5, ())",
    "min(itertools.repeat(0))", "max(itertools.cycle([1]))", "max(enumerate(itertools.repeat(0)))",
    "max(zip(itertools.repeat(0), itertools.repeat(0)))", "max(itertools.pairwise(itertools.repeat(0)))",
    "any(itertools.repeat(0))", "any(map(bool, itertools.repeat(0)))", "all(itertools.repeat(1))", "all(itertools.count(1))",
    "-1 in itertools.repeat(0)", "-1 in itertools.count()", "None in itertools.cycle([1])", "-1 in map(abs, itertools.count())",
    "dict(zip(itertools.repeat(1), itertools.repeat(1)))", "{}.update(zip(itertools.repeat(0), itertools.repeat(0)))",
    "dict.fromkeys(itertools.repeat(1))", "collections.OrderedDict.fromkeys(itertools.repeat(1))",
    "collections.Counter(itertools.repeat(0))", "frozenset(itertools.cycle([1]))", "''.join(itertools.cycle(['']))",
    "next(filter(None, itertools.repeat(0)))", "next(filter(None, map(int, itertools.repeat(0))))",
    "next(itertools.filterfalse(None, itertools.repeat(1)))", "next(itertools.dropwhile(bool, itertools.repeat(1)))",
    "next(itertools.compress(itertools.count(), itertools.repeat(0)))", "next(itertools.islice(itertools.count(), 10 ** 12, None))",
    "next(itertools.chain.from_iterable(itertools.repeat([])))", "next(itertools.groupby(itertools.repeat(0))) and list(itertools.groupby(itertools.repeat(0)))",
    "collections.deque(itertools.count(), 0)", "collections.deque(itertools.product(range(10 ** 4), repeat=3), 0)",
    "collections.deque(itertools.permutations(range(20)), 0)", "collections.deque(itertools.combinations(range(60), 30), 0)",
    "collections.deque(itertools.combinations_with_replacement(range(60), 30), 0)", "collections.deque(maxlen=1).extend(itertools.repeat(0))",
    "collections.deque([1], 1).extendleft(itertools.repeat(0))", "{1}.isdisjoint(itertools.repeat(0))", "{1}.issuperset(itertools.repeat(1))",
    "{1}.difference(itertools.repeat(0))", "{1}.intersection(itertools.repeat(0))", "{1: 1}.keys().isdisjoint(itertools.repeat(0))",
    "{1: 1}.keys() & itertools.repeat(0)", "functools.reduce(max, itertools.repeat(0))", "functools.reduce(operator.and_, itertools.repeat(1))",
    "operator.contains(itertools.repeat(0), 1)", "math.fsum(itertools.repeat(0.0))", "math.prod(itertools.repeat(1))",
    "statistics.mode(itertools.repeat(1))", "('a' * 10 ** 7).translate({97: 'bb'})", "[x for x in range(10 ** 12) if x < 0]",
]  # fmt: skip

RANGES = [
    "sum(range(10 ** 12))", "max(range(10 ** 12))", "min(range(10 ** 12), key=abs)", "max(map(abs, range(10 ** 12)))",
    "all(range(1, 10 ** 12))", "all(zip(range(10 ** 12), itertools.count()))", "max(range(10 ** 12)[::2])",
    "sum(range(0, -10 ** 12, -1))", "all(range(10 ** 19, 1, -1))", "sum(reversed(range(10 ** 12)))", "sum(iter(range(10 ** 12)))",
    "{1}.difference_update(range(10 ** 12))", "{1: 1}.keys() - range(10 ** 12)", "functools.reduce(max, range(10 ** 12))",
    "math.fsum(range(10 ** 12))", "collections.deque(range(10 ** 12), 0)", "collections.deque(map(abs, range(10 ** 12)), maxlen=1)",
    "collections.deque(filter(None, range(10 ** 12)), 0)", "collections.Counter(range(10 ** 12)) if False else max(enumerate(range(10 ** 12)))",
]  # fmt: skip

BOUNDED = {
    "round(decimal.Decimal('1E+999999'))": "exponent must be from",
    "int(decimal.Decimal('1E+999999999'))": "exponent must be from",
    "decimal.Decimal('1E-999999').as_integer_ratio()": "exponent must be from",
    "format(decimal.Decimal('0E-999999'), 'f')": "exponent must be from",
    "math.floor(decimal.Decimal((0, (1,), 999999)))": "exponent must be from",
    "'%d' % (decimal.Decimal(10) ** 99999)": "Overflow",
    "int(decimal.Decimal(10) ** 9999 * decimal.Decimal(10) ** 9999)": "Overflow",
    "decimal.Decimal(10).scaleb(9 * 10 ** 4)": "",
    "decimal.Decimal(1 << 10 ** 6)": "more than 10000 digits",
    "int(decimal.Decimal('9' * 10 ** 6))": "more than 10000 digits",
    "decimal.Decimal((0, (9,) * 10 ** 5, 0))": "more than 10000 digits",
    "unicodedata.normalize('NFC', 'a' + '\\u0316\\u0300' * 10 ** 5)": "more than 65536 characters",
    "unicodedata.normalize('NFD', 'a' + '\\u0316\\u0300' * 10 ** 4)": "more than 500 combining marks",
    "unicodedata.is_normalized('NFC', 'a' + '\\u0316\\u0300' * 10 ** 4)": "more than 500 combining marks",
    "(b'\\xff' * 10 ** 7).decode('ascii', 'backslashreplace')": "at most 65536 at once",
    "('\\u1234' * 10 ** 6).encode('ascii', 'namereplace')": "at most 65536 at once",
    "re.escape('.' * 10 ** 7)": "more than 8192 characters",
    "hashlib.pbkdf2_hmac('sha3_512', b'a', b'b', 600000)": "iterations must be 1 to 110000 with sha3_512",
    "hashlib.pbkdf2_hmac('sha512', b'a', b'b', 600000)": "iterations must be 1 to 220000 with sha512",
}

SAME = [
    "list(range(5)), range(3)[1], range(10)[2:4], len(range(7)), range(3) == range(3), repr(range(1, 9, 2)), bool(range(0))",
    "len(range(10 ** 6)), range(10 ** 6)[-1], range(10 ** 6)[5:8], repr(range(10 ** 6)), range(10 ** 6)[::-1][0], bool(range(10 ** 6))",
    "5 in range(20000), -1 in range(20000), 5.0 in range(20000), 0.5 in range(20000), 'x' in range(20000), None in range(20000), float('inf') in range(20000), True in range(20000), 5 + 0j in range(20000), decimal.Decimal(7) in range(20000), '7' in range(20000)",
    "range(20000).index(7), range(20000).count(7), range(20000).count('7'), range(20000).index(7.0), range(10 ** 6, 0, -3).index(10 ** 6 - 3)",
    "range(10 ** 12).start, range(10 ** 12).stop, range(10 ** 12).step, isinstance(range(10 ** 12), range), type(range(10 ** 12)) is type(range(3)), range(10 ** 6) == range(10 ** 6), range(10 ** 6) == range(5)",
    "sum(range(10 ** 5)), list(range(10 ** 5))[-1], max(range(10 ** 5)), [x for x in range(10 ** 5)][9], list(reversed(range(10 ** 5)))[:2], sorted(range(20000), reverse=True)[0]",
    "{range(3): 1}[range(3)], len({range(10 ** 6), range(10 ** 6)}), [*range(20000)][-1], (lambda *a: len(a))(*range(20000))",
    "list(itertools.repeat(1, 3)), list(itertools.repeat(object=2, times=2)), list(itertools.islice(itertools.repeat('a'), 2)), list(itertools.repeat(1, 0)), list(itertools.repeat(1, -1))",
    "list(itertools.islice(itertools.count(5, 2), 3)), list(itertools.islice(itertools.count(0.5), 2)), list(zip('ab', itertools.count(step=3)))",
    "list(itertools.product('ab', repeat=2)), list(itertools.product()), list(itertools.permutations('abc', 2)), list(itertools.combinations(range(4), 3)), list(itertools.combinations_with_replacement('ab', 2))",
    "list(collections.Counter('aab').elements()), list(collections.Counter(a=-1, b=2).elements())",
    "sum([1, 2, 3]), sum([1.5, 2]), sum([[1], [2]], []), sum([(1,)], ()), sum([decimal.Decimal(1)], decimal.Decimal(2)), sum([], 5), sum(range(4), start=1), sum(x for x in [True, True])",
    "('abc' * 5000).translate({97: 'x', 98: None})[:6], 'abc'.translate(str.maketrans('a', 'z'))",
    "str(decimal.Decimal('1E+9999')), decimal.Decimal(), decimal.Decimal(3), decimal.Decimal(1.5), decimal.Decimal((0, (1, 2), -1)), decimal.Decimal('NaN').is_nan(), decimal.Decimal('-Infinity'), isinstance(decimal.Decimal(1) + 1, decimal.Decimal), type(decimal.Decimal(1)) is decimal.Decimal, decimal.Decimal.from_float(0.5)",
    "unicodedata.normalize('NFC', 'e\\u0301' * 900) == '\\u00e9' * 900, unicodedata.is_normalized('NFD', 'e\\u0301')",
    "('\\u1234' * 10 ** 6).encode('ascii', 'ignore'), 'a\\u1234'.encode('ascii', 'backslashreplace')",
]  # fmt: skip


def source(call: str) -> str:
    return f"{IMPORTS}def on_execute_post_login(event, api):\n    x = {call}\n    print('ended')\n"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sat() -> AsyncIterator[Desk]:
    """One worker for all."""
    async with desk() as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("call", ENDLESS + RANGES)
async def test_a_long_call_ends_with_its_line(sat: Desk, call: str) -> None:
    """The alarm gets through; the author is given the line, and the worker stays."""
    answer = await sat.login(source(call), BUDGET_US)
    assert answer.verdict == "TIMED_OUT", answer.text or "its worker was lost"
    assert answer.report.error_line == 3
    assert not answer.retire


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("call", BOUNDED)
async def test_a_large_call_is_refused_and_says_what_is_allowed(sat: Desk, call: str) -> None:
    """What cannot be interrupted is bounded; the error names the bound, and the worker stays."""
    answer = await sat.login(source(call), 1_000_000)
    assert answer.verdict == "RAISED", answer.text or "its worker was lost"
    assert BOUNDED[call] in f"{answer.report.error_type}: {answer.report.error_message}"
    assert answer.report.error_line == 3
    assert not answer.retire


@pytest.mark.parametrize("expression", SAME)
def test_what_is_short_answers_as_python_does(expression: str) -> None:
    """Ranges, iterators, sums and Decimals that were replaced answer what Python's own do."""
    names: dict[str, object] = {}
    exec(IMPORTS, names)  # noqa: S102 - our own text
    assert repr(value(f"{IMPORTS}return {expression}")) == repr(eval(expression, names))


RINGS = (
    "import resource, signal, sys\n"
    "def ring(number, frame):\n    sys.exit(3)\n"
    "signal.signal(signal.SIGALRM, ring)\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\n"
    "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\n"
)


def ending(call: str) -> int:
    """Run a call in a plain process whose alarm rings at once, and whom the kernel ends at 1 s of processor time."""
    return subprocess.run([sys.executable, "-I", "-c", IMPORTS + RINGS + call], timeout=60).returncode


@pytest.mark.parametrize(
    "call", ["sum(itertools.repeat(0))", "0.5 in range(10 ** 12)", "next(filter(None, itertools.repeat(0)))"]
)
def test_control_in_plain_python_no_signal_interrupts_it(call: str) -> None:
    """Control: the alarm of a plain process rings, and the call runs on until the kernel ends it."""
    assert ending(call) == -signal.SIGXCPU


def test_control_in_plain_python_a_loop_is_interrupted() -> None:
    """The other control: a loop of Python code ends by the same alarm."""
    assert ending("while True:\n    pass") == 3
