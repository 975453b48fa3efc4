"""What could be left of a login for the next one, thing by thing, each beside plain Python, in which it is left.

`test_state.py` asks the same after every attack of the corpora; here is one test for each way that has a name. It is
tried as it works in plain Python, and by whatever the language lets an action do instead.
"""

# ruff: noqa: E501  a table of bodies of actions

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.doctor import plain_python
from runtime.doctor.desk import Desk, desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUDGET_US = 3_000_000


@dataclass(frozen=True)
class Trace:
    """A way to leave something: `look` answers what it finds, `plain` leaves it in plain Python, `ours` tries to."""

    look: str
    plain: str
    ours: str


TRACES = {
    "module globals": Trace(
        "import string\nreturn string.digits",
        "import string\nstring.digits = 'other'",
        "import string\nfor name in ('digits', 'other'):\n    try:\n        setattr(string, name, 'other')\n"
        "    except Exception:\n        pass",
    ),
    "monkeypatched objects": Trace(
        "import collections, json\nreturn [collections.Counter('ab').total(), json.loads('[1]')]",
        "import collections, json\ncollections.Counter.total = lambda self: 99\njson.loads = len",
        "import collections, json\nfor where, name in ((collections.Counter, 'total'), (json, 'loads'), (json.loads, 'x'),"
        " (event, 'user'), (event.user, 'email'), (api, 'access'), (api.access, 'deny')):\n    try:\n"
        "        setattr(where, name, len)\n    except Exception:\n        pass",
    ),
    "mutated shared constants": Trace(
        "import decimal, hashlib\nreturn [str(decimal.Decimal(1) / 3), sorted(hashlib.algorithms_available)[:1]]",
        "import decimal, hashlib\ndecimal.getcontext().prec = 3\nhashlib.algorithms_available.clear()",
        "import decimal, hashlib, random, logging\nfor act in ('prec', 'clear', 'seed', 'level'):\n    try:\n"
        "        if act == 'prec':\n            decimal.getcontext().prec = 3\n"
        "        elif act == 'clear':\n            hashlib.algorithms_available.clear()\n"
        "        elif act == 'seed':\n            random.seed(1)\n"
        "        else:\n            logging.getLogger().setLevel(50)\n    except Exception:\n        pass",
    ),
    "caches of re": Trace(
        "import re\ntry:\n    count = len(getattr(re, '_cache'))\nexcept Exception as error:\n    count = str(error)\n"
        "return [count, re.compile('q(1)') is re.compile('q(1)'), re.compile('q(1)').findall('q1Q1')]",
        "import re\nfor n in range(40):\n    re.compile('q(%d)' % n)",
        "import re\nfor n in range(2000):\n    re.compile('q(%d)' % n)\n    re.compile('q(1)', re.I)",
    ),
    "interned tricks": Trace(
        "name = ''.join(['vst', '_kept'])\ntry:\n    found = getattr(print, '__self__').intern_kept(name)\n"
        "except Exception as error:\n    found = 'none'\nreturn [found, name is ''.join(['vst', '_kept'])]",
        "import sys\nkept = sys.intern(''.join(['vst', '_kept']))\n"
        "print.__self__.intern_kept = lambda name: sys.intern(name) is kept",
        "import types\nkept = [types.SimpleNamespace(**{''.join(['vst', '_kept']): n}) for n in range(100)]\n"
        "d = {''.join(['vst', '_kept']): 1}\nd['vst_kept'] = 2",
    ),
    "open generators": Trace(
        "kept = [[n] for n in range(200000)]\ntry:\n    late = getattr(getattr(print, '__self__'), 'late')\n"
        "except Exception as error:\n    late = 'none'\nreturn [len(kept), late]",
        "def left():\n    try:\n        yield 1\n    finally:\n        print.__self__.late = 'it ran now'\n"
        "x = left()\nnext(x)\nring = [x]\nring.append(ring)",
        "x = (print('late') for n in iter([1, 2, 3]))\nnext(x)\nring = [x, iter([1]), map(print, ['late'])]\nring.append(ring)",
    ),
    "exception state": Trace(
        "found = []\ntry:\n    raise\nexcept Exception as error:\n    found.append(str(error))\ntry:\n"
        "    found.append(str(getattr(getattr(print, '__self__'), 'kept')))\nexcept Exception:\n    pass\nreturn found",
        "try:\n    raise KeyError('kept')\nexcept KeyError as error:\n    print.__self__.kept = error",
        "def f():\n    try:\n        raise KeyError('kept')\n    except KeyError:\n        try:\n            raise ValueError\n"
        "        finally:\n            raise TypeError('kept')\ntry:\n    f()\nexcept Exception as error:\n    kept = [error]\n"
        "    kept.append(kept)\n    raise ValueError(kept)",
    ),
    "warnings filters": Trace(
        "import re\ntry:\n    return re.compile('[[a]').pattern\nexcept Exception as error:\n    return 'raised'",
        "import re, warnings\nwarnings.simplefilter('error')\nre.purge()",
        "import re, datetime\nfor pattern in ('[[a]', '[a--b]', '[a&&b]'):\n    try:\n        re.compile(pattern)\n"
        "    except Exception:\n        pass\nx = '\\d'\ndatetime.datetime.now()",
    ),
    "sys settings": Trace(
        "def deep(n):\n    return n and deep(n - 1)\ntry:\n    deep(400)\n    text = len(str(10 ** 1000))\n"
        "except Exception as error:\n    text = 'raised'\nreturn text",
        "import sys\nsys.setrecursionlimit(200)\nsys.set_int_max_str_digits(640)",
        "def deep():\n    return deep()\nfor n in range(3):\n    try:\n        deep()\n    except RecursionError:\n        pass\n"
        "try:\n    str(10 ** 10000)\nexcept Exception:\n    pass",
    ),
    "allocator exhaustion": Trace(
        "try:\n    return len('x' * 30_000_000)\nexcept MemoryError:\n    return 'none left'",
        "import resource\nused = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000, used + 60_000_000))\n"
        "print.__self__.hoard = 'x' * 45_000_000",
        "hoard = []\ntry:\n    while True:\n        hoard.append('x' * 1_000_000)\nexcept MemoryError:\n    pass",
    ),
}


def handler(body: str) -> str:
    """Make an action of a body; what it returns is printed."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return (
        f"def tried(event, api):\n{lines}\n"
        "def on_execute_post_login(event, api):\n    api.access.deny('found: ' + str(tried(event, api)))\n"
    )


def in_plain_python(sources: list[str]) -> list[str]:
    """Run actions one after the other in one process that has no sandbox; return what each has said."""
    program = "import json, sys; sys.path.insert(0, sys.argv[1]); import plain_python\n"
    program += "print(json.dumps([plain_python.login(source) for source in json.load(sys.stdin)]))"
    folder = str(Path(plain_python.__file__).parent)
    # Isolated, and yet with our folder first: its other modules are named like none of the library's.
    command = [sys.executable, "-I", "-c", program, folder]
    done = subprocess.run(command, input=json.dumps(sources), capture_output=True, text=True, timeout=60, check=True)
    said: list[str] = json.loads(done.stdout)
    return said


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sat() -> AsyncIterator[Desk]:
    """One worker after the other, each of which serves until it wants to go."""
    async with desk() as made:
        yield made


@pytest.mark.parametrize("name", TRACES)
async def test_nothing_is_left(sat: Desk, name: str) -> None:
    """In plain Python the next login sees it; in a worker its reply is that of a fresh one, byte for byte."""
    trace = TRACES[name]
    before, _, after = in_plain_python([handler(body) for body in (trace.look, trace.plain, trace.look)])
    assert before != after, "control"

    await sat.leave()
    fresh = await sat.login(handler(trace.look), BUDGET_US)
    assert fresh.verdict == "COMPLETED", fresh.text
    ran = []
    for body in (trace.plain, trace.ours, trace.ours):
        ran.append((await sat.login(handler(body), BUDGET_US)).verdict)
        assert (await sat.login(handler(trace.look), BUDGET_US)).steps == fresh.steps, body
    # What the language lets an action do has been done.
    assert ran[1] in ("COMPLETED", "RAISED", "EXHAUSTED"), ran


async def test_an_actions_own_globals_are_new_for_each_login(sat: Desk) -> None:
    """What a module keeps while it runs, which it can see, is gone when the same revision runs again."""
    source = """
seen = []
def note():
    seen.append(1)
    return len(seen)
def on_execute_post_login(event, api):
    api.access.deny(str([note(), note()]))
"""
    answers = [await sat.login(source, BUDGET_US) for _ in range(3)]
    assert all("[1, 2]" in answer.text for answer in answers), answers[0].text
    assert len({answer.steps for answer in answers}) == 1
