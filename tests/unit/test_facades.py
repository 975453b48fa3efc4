"""Every name of every module facade answers as Python's own, on the execution's clock and seed."""

# ruff: noqa: E501 - lines of actions

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.reach import reachable
from tests.action_body import run, value
from tests.facade_corpus import CORPUS, bodies

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("module", "body", "wanted"), bodies())
def test_answers(module: str, body: str, wanted: object) -> None:
    """A line of the corpus answers what it says."""
    assert value(body) == wanted


def test_corpus_mentions_every_name() -> None:
    """The corpus has a line for every name of every module, but those of typing, which do nothing."""
    assert CORPUS.keys() == reachable.MODULES.keys()
    for module, names in reachable.MODULES.items():
        text = " ".join(line for line, _ in CORPUS[module])
        missing = {name for name in names if not re.search(rf"\b{name}\b", text)}
        assert not missing or module in ("typing", "__future__"), f"{module}: {sorted(missing)}"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("import json\nreturn json.loads('[' * 200 + ']' * 200)", ValueError, "nested deeper"),
        ("import json\nreturn json.loads('[' * 100000 + ']' * 100000)", ValueError, "nested deeper"),
        ("import json\nreturn json.loads('1' * (2 << 20))", ValueError, "MiB"),
        ("import json\nreturn json.loads(3)", TypeError, "str or bytes"),
        ("import json\nreturn json.loads('{}', object_hook=dict)", TypeError, "object_hook"),
        ("import json\nreturn json.dumps(print)", TypeError, "make it a dict"),
        ("import json\nreturn json.dumps('a' * (2 << 20))", ValueError, "MiB"),
        ("import json\na = []\na.append(a)\nreturn json.dumps(a)", ValueError, "Circular"),
        ("import json\na = []\na.append(a)\nreturn json.dumps(a, check_circular=False)", ValueError, "Circular"),
        ("import json\nreturn json.dumps(1, cls=dict)", TypeError, "cls"),
        ("import json\nreturn json.dumps([1], indent=[])", TypeError, "indent"),
        ("import json\nreturn json.dumps([1], separators=(1, 2))", TypeError, "separators"),
        (
            "import copy\na = []\nfor i in range(500):\n    a = [a]\nreturn copy.deepcopy(a)",
            ValueError,
            "nested deeper",
        ),
        ("import math\nreturn math.factorial(10**6)", OverflowError, "10,000 digits"),
        ("import math\nreturn math.comb(10**6, 5 * 10**5)", OverflowError, "10,000 digits"),
        ("import math\nreturn math.perm(10**6)", OverflowError, "10,000 digits"),
        ("import math\nreturn math.prod(range(1, 10**6))", OverflowError, "10,000 digits"),
        ("import math\nreturn math.prod([[1], 2])", TypeError, "not a number"),
        ("import math\nreturn math.lcm(*range(1, 100000))", OverflowError, "10,000 digits"),
        ("import random\nreturn random.getrandbits(10**9)", OverflowError, "10,000 digits"),
        ("import random\nreturn random.shuffle((1, 2))", TypeError, "takes a list"),
        ("import hashlib\nreturn hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)", ValueError, "iterations"),
        ("import hashlib\nreturn hashlib.pbkdf2_hmac('sha256', b'', b'', 1, 10**9)", ValueError, "dklen"),
        ("import hashlib\nreturn hashlib.new('whirlpool')", ValueError, "there are: blake2b"),
        ("import hashlib\nreturn getattr(hashlib, 'scrypt')", AttributeError, "pbkdf2_hmac"),
        ("import hmac\nreturn hmac.new(b'k', b'm')", TypeError, "digestmod is missing"),
        ("import hmac\nreturn hmac.new(b'k', b'm', print)", ValueError, "unsupported hash"),
        ("import secrets\nreturn secrets.token_bytes(10**9)", ValueError, "bytes"),
        ("import secrets\nreturn secrets.randbits(10**9)", ValueError, "bits"),
        ("import secrets\nreturn secrets.randbelow(0)", ValueError, "positive"),
        ("import secrets\nreturn secrets.choice([])", IndexError, "empty"),
        ("import uuid\nreturn uuid.uuid5('x', 'y')", TypeError, "UUID"),
        ("import uuid\nreturn uuid.uuid5(uuid.NAMESPACE_DNS, 3)", TypeError, "str"),
        ("import html\nreturn html.escape(3)", TypeError, "str"),
        ("import time\nreturn getattr(time, 'sleep')(1)", AttributeError, "clock stands still"),
        ("from datetime import datetime\nreturn datetime.now().strftime('%Q')", ValueError, "unknown directive"),
        ("from datetime import datetime\nreturn datetime.now().strftime(3)", TypeError, "format text"),
        ("import time\nreturn time.strftime('%Y', (2024, 13, 1, 0, 0, 0, 0, 1, 0))", ValueError, "month"),
        ("from typing import Optional\nreturn Optional()", TypeError, "annotations only"),
        ("from typing import Optional\nreturn list(Optional)", TypeError, "not iterable"),
        ("from collections.abc import Mapping\nreturn Mapping()", TypeError, "isinstance"),
        ("from collections import namedtuple\nreturn namedtuple('P', 'a _b')", ValueError, "not a public name"),
        ("from collections import namedtuple\nreturn namedtuple('P', 'a a')", ValueError, "twice"),
        ("from collections import namedtuple\nreturn namedtuple('P', 'a')(1, 2)", TypeError, "takes a"),
        ("from collections import namedtuple\nreturn namedtuple('P', 'a b')(1, a=2)", TypeError, "takes a, b"),
        ("from collections import namedtuple\nreturn namedtuple('class', 'a')", ValueError, "not a public name"),
        ("import operator\nreturn operator.attrgetter('__class__')(1)", AttributeError, "underscore"),
        ("import operator\nreturn operator.itemgetter(0)(print)", TypeError, "subscriptable"),
        ("import logging\nlogging.info('x', colour=1)\nreturn 0", TypeError, "colour"),
        ("import logging\nlogging.basicConfig(level='LOUD')\nreturn 0", ValueError, "unknown level"),
    ],
)
def test_refuses(body: str, error: type[Exception], words: str) -> None:
    """What would leak, hang or crash is refused with words an author understands."""
    with pytest.raises(error, match=words):
        value(body)


def test_logging_lines() -> None:
    """A log line is its level and its message; a wrong template is shown with its arguments instead of failing."""
    printed = run("""
        import logging
        log = logging.getLogger("x")
        log.info("%s has %d", "a", 3)
        log.warning("%d", "three")
        log.error("%(a)s", {"a": 1})
        log.debug("%999999d", 1)
        log.info(None)
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("failed for %s", "a")
            log.info("known", exc_info=True, extra={"a": 1}, stacklevel=2)
        log.setLevel(logging.WARNING)
        log.info("hidden")
        log.critical("shown")
        logging.log(35, "between")
    """)[1]
    way = [
        "Traceback (most recent call last):",
        '  File "<action>", line 10, in on_execute_post_login',
        "ZeroDivisionError: division by zero",
    ]
    assert printed.splitlines() == [
        "INFO a has 3",
        "WARNING %d 'three'",
        "ERROR 1",
        "DEBUG %999999d 1",
        "INFO None",
        "ERROR failed for a",
        *way,
        "INFO known",
        *way,
        "CRITICAL shown",
        "Level 35 between",
    ]


def test_deepcopy_keeps_kinds() -> None:
    """A deep copy has the types of the original, and shares nothing that can change."""
    body = """
        import collections, copy, datetime, types
        made = {
            "c": collections.Counter("aab"), "d": collections.defaultdict(list, a=[1]), "q": collections.deque([[1]], 3),
            "o": collections.OrderedDict(a=[1]), "n": types.SimpleNamespace(a=[1]), "t": datetime.datetime.now(), "s": {1},
        }
        other = copy.deepcopy(made)
        shallow = copy.copy(made["n"])
        made["d"]["a"].append(2); made["q"][0].append(2); made["o"]["a"].append(2); made["n"].a.append(2); made["s"].add(2)
        same = [type(other[k]) is type(made[k]) for k in made]
        return same, other["c"] == made["c"], other["d"], list(other["q"]), dict(other["o"]), other["n"].a, other["s"], shallow.a
    """
    assert value(body) == ([True] * 7, True, {"a": [1]}, [[1]], {"a": [1]}, [1], {1}, [1, 2])
