"""What an action reaches, seen in a process of its own: the same bytes again, and nothing imported or opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [b"one", b"two"])
def test_same_bytes_in_another_process(seed: bytes) -> None:
    """The same source, clock and seed give the same bytes in two processes."""
    program = f"""
from tests.action_body import run
print(run('''
    import random, secrets, uuid, datetime, json, itertools
    words = {{w for w in "the order of a set comes from the hash of its items".split()}}
    print(list(words), random.random(), secrets.token_hex(), uuid.uuid4(), uuid.uuid1(), datetime.datetime.now())
    print(json.dumps({{"a": list(frozenset("abcdef"))}}), print, itertools.count())
''', seed={seed!r}))
"""
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": f"{ROOT}:{ROOT}/proto/python"},
            timeout=60,
        ).stdout
        for _ in range(2)
    }
    assert len(answers) == 1
    assert b"2023" in answers.pop()


def test_preloaded_facades_import_and_open_nothing() -> None:
    """After `preload` no line of the corpus imports or opens anything. Control: the same watch sees an import."""
    program = """
import builtins, json, sys
from sandbox.language import compiler
from sandbox.reach import environment
from tests.action_body import ENTRY, run
from tests.facade_corpus import bodies
environment.preload()
compiled = [body for _, body, _ in bodies()]
seen = []
armed = False
def watch(event, args):
    watched = ("open", "import", "os.listdir", "os.scandir", "ctypes.dlopen", "socket.__new__", "os.system")
    if armed and event in watched:
        seen.append(f"{event} {args[0]}")
sys.addaudithook(watch)
before = set(sys.modules)
armed = True
for body in compiled:
    try:
        run(body)
    except Exception as error:
        seen.append(f"{type(error).__name__}: {error}")
unknown = ("'a'.encode('nothing')", "b'a'.decode('rot13')", "str(b'a', 'zlib')", "import requests", "from re import x")
for body in unknown:
    try:
        run(body if "import" in body else "return " + body)
    except (LookupError, ImportError, compiler.Rejected):
        pass
if sys.argv[1] == "control":
    import colorsys
armed = False
print(json.dumps({"seen": seen, "modules": sorted(set(sys.modules) - before)}))
"""

    def ask(mode: str) -> dict[str, list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", program, mode],
            capture_output=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": f"{ROOT}:{ROOT}/proto/python"},
            timeout=120,
        )
        assert done.stderr == b""
        answer: dict[str, list[str]] = json.loads(done.stdout)
        return answer

    assert ask("probe") == {"seen": [], "modules": []}
    control = ask("control")
    assert control["modules"] == ["colorsys"]
    assert "import colorsys" in control["seen"]
    assert any(line.startswith("open ") for line in control["seen"])
