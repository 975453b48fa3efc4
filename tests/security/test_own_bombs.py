"""Attacks of our own on time, memory, stack and output, through the whole stack: each beside plain Python without limits.

No language holds these; the alarm, the limits of the process and the daemon's watchdog do, and the neighbour is
served.
"""

# ruff: noqa: E501  a table of attacks: one a line

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from vestibule.v1 import decision_pb2

from runtime.config.effective import Config
from runtime.doctor import assault, plain_python

BUDGET_MS = 150
# Between the budget and this lie the grace, the kill and a busy machine; what it measures is whether the answer comes.
ANSWERED_S = 2.0
CONTROL_S = 0.2
MIB = 1024 * 1024

HEAD = f"def {plain_python.HANDLER}(event, api):\n"

BOMBS = {
    "a loop in a sort key": "def key(x):\n    while True:\n        pass\nsorted([1, 2], key=key)",
    "a loop in a default of json": "import json\ndef default(x):\n    while True:\n        pass\njson.dumps(print, default=default)",
    "a loop in a comprehension's condition": "[x for x in range(10 ** 12) if x < 0]",
    "a loop in a generator inside any": "any(False for x in iter(int, 1))",
    "a loop in C without end: sum": "import itertools\nsum(itertools.repeat(0))",
    "a loop in C without end: max": "import itertools\nmax(itertools.cycle([1]))",
    "a loop in C without end: deque of no length": "import collections, itertools\ncollections.deque(itertools.count(), 0)",
    "a loop in C without end: in": "import itertools\n-1 in itertools.repeat(0)",
    "a loop in C without end: all over map": "import itertools\nall(map(str, itertools.count()))",
    "a loop in C without end: filter": "import itertools\nnext(filter(None, itertools.repeat(0)))",
    "a loop in C without end: dropwhile": "import itertools\nnext(itertools.dropwhile(bool, itertools.repeat(1)))",
    "a loop in C without end: compress": "import itertools\nnext(itertools.compress(itertools.count(), itertools.repeat(0)))",
    "a loop in C without end: dict from zip": "import itertools\ndict(zip(itertools.repeat(1), itertools.repeat(1)))",
    "a loop in C without end: set": "import itertools\nset(itertools.repeat(1))",
    "a loop in C without end: bytes by sum of ranges": "sum(map(len, iter(str, 1)))",
    "a loop in C, long: nested product": "import itertools\nfor x in itertools.product(range(10 ** 4), repeat=3):\n    pass",
    "a loop in C, long: permutations counted": "import itertools\nsum(1 for x in itertools.permutations(range(20)))",
    "a loop in C, long: quadratic count of a text": "s = 'a' * 2000000\nwhile True:\n    s.count('a' * 1000 + 'b')",
    "a loop in C, long: replace that grows": "s = 'ab' * 1000\nwhile True:\n    s.replace('a', 'aa').replace('b', 'bb').split('a')",
    "a loop in C, long: multiplication of large numbers": "x = 7 ** 5000\nwhile True:\n    x * x % (x - 1)",
    "a loop in C, long: decimal of many digits": "import decimal\nx = decimal.Decimal(2)\nwhile True:\n    x.sqrt().ln().exp()",
    "a loop in C, long: hashing over and over": "import hashlib\nd = b'x' * 1000000\nwhile True:\n    d = hashlib.sha256(d).digest() * 30000",
    "a loop in C, long: unicode normalisation": "import unicodedata\ns = chr(0xfdfa) * 10000\nwhile True:\n    unicodedata.normalize('NFKD', s)",
    "a loop in a caught exception": "def f():\n    while True:\n        try:\n            raise ValueError\n        except Exception:\n            pass\nf()",
    "a loop in a finally": "def f():\n    try:\n        return 1\n    finally:\n        while True:\n            pass\nf()",
    "a loop in an else of a try in a loop": "while True:\n    try:\n        x = 1\n    except Exception:\n        pass\n    else:\n        x = 2\n    finally:\n        x = 3",
    "a loop by recursion that catches its own end": "def f():\n    try:\n        f()\n    except Exception:\n        f()\nf()",
    "a loop by mutual recursion with a finally": "def f():\n    try:\n        g()\n    finally:\n        g()\ndef g():\n    f()\nf()",
    "a loop over a list that grows while it is walked": "l = [1]\nfor x in l:\n    l.append(x)",
    "a loop over a deque that turns": "import collections\nq = collections.deque([1, 2])\nwhile q:\n    q.rotate(1)",
    "memory by repetition": "x = 'a' * (1 << 29)\nwhile True:\n    pass",
    "memory by lists of lists": "l = []\nwhile True:\n    l = [l, l, [0] * 10000]",
    "memory by a dict of integers": "d = {}\ni = 0\nwhile True:\n    d[i] = i\n    i += 1",
    "memory by a list of iterators": "l = []\nwhile True:\n    l.append(iter([0] * 1000))",
    "memory by tee": "import itertools\na, b = itertools.tee(itertools.count())\nfor x in a:\n    pass",
    "memory by a set of texts": "s = set()\nwhile True:\n    s.add(str(len(s)) * 100)",
    "memory by closures": "l = []\nwhile True:\n    l.append((lambda x: lambda: x)([0] * 100))",
    "memory by caught memory errors": "l = []\nwhile True:\n    try:\n        l.append('x' * 1000000)\n    except MemoryError:\n        l.append('y')",
    "memory by doubling a text": "s = 'ab'\nwhile True:\n    s += s",
    "memory by padding": "l = []\nwhile True:\n    l.append('x'.rjust(10 ** 7))",
    "memory by exceptions that hold each other": "e = None\nl = []\nwhile True:\n    try:\n        raise ValueError(e)\n    except ValueError as f:\n        e = f\n        l.append([e] * 1000)",
    "output without end": "while True:\n    print('x' * 1000)",
    "output by logging without end": "import logging\nwhile True:\n    logging.warning('x' * 1000)",
    "output of one enormous line": "while True:\n    print('x' * 5000000)",
    "stack by a nest of lists compared": "a, b = [], []\nfor _ in range(100000):\n    a, b = [a], [b]\nwhile True:\n    try:\n        a == b\n    except RecursionError:\n        pass",
    "stack by a chain of maps": "m = iter([1])\nfor _ in range(200000):\n    m = map(int, m)\nlist(m)\nwhile True:\n    pass",
    "stack by a tower of partials": "import functools\np = functools.partial(int)\nfor _ in range(20000):\n    p = functools.partial(p.__call__ if False else functools.partial(p), 1)\nwhile True:\n    pass",
    "stack by the repr of a nest": "l = []\nfor _ in range(100000):\n    l = [l]\ntry:\n    repr(l)\nexcept RecursionError:\n    pass\nwhile True:\n    pass",
    "teardown of a very deep nest": "l = None\nfor _ in range(3000000):\n    l = (l,)\nwhile True:\n    pass",
    "a hash that collides": "d = {}\nm = (1 << 61) - 1\nfor i in range(10 ** 6):\n    d[i * m] = 1",
}  # fmt: skip


def body(lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines.splitlines())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short() -> AsyncIterator[assault.Stack]:
    """One stack for all, with little time for each."""
    async with assault.stack(Config(), BUDGET_MS) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_ends_in_time(short: assault.Stack, name: str) -> None:
    """It is answered soon after its budget, asks for a second factor, and the next tenant's login is decided."""
    short.put("mallory", body(BOMBS[name]))
    started_s = time.monotonic()
    decision = await short.login("mallory")
    took_s = time.monotonic() - started_s
    assert assault.verdict(decision) in ("timed_out", "exhausted", "raised", "crashed", "rejected"), decision
    assert decision.outcome == decision_pb2.OUTCOME_MFA_REQUIRED
    assert took_s < ANSWERED_S, assault.verdict(decision)
    canary = await short.login("canary")
    assert not canary.degraded
    assert canary.multifactor.provider == decision_pb2.PROVIDER_ANY


@pytest.mark.load
@pytest.mark.parametrize("name", BOMBS)
def test_control_a_bomb_goes_off_in_plain_python(name: str) -> None:
    """Without limits it is still at it when the budget is over, or dies of its stack, or has taken all its memory."""
    pid = os.fork()
    if pid == 0:
        _go_off(body(BOMBS[name]))
    time.sleep(CONTROL_S)
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    else:
        assert os.waitstatus_to_exitcode(status) in (3, -signal.SIGSEGV, -signal.SIGKILL)


def _go_off(source: str) -> None:
    import resource

    try:
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        resource.setrlimit(resource.RLIMIT_AS, (1024 * MIB, 1024 * MIB))
        plain_python.login(source)
        os._exit(0)
    except MemoryError:
        os._exit(3)
    finally:
        os._exit(4)
