"""Runs the body of an action in this process, with the language and the environment and without any event or lock-down.

For tests of what an action can reach.
"""

from __future__ import annotations

from typing import Any

from sandbox.language import compiler
from sandbox.reach import environment

ENTRY = "def on_execute_post_login(event, api):\n"
NOW_NS = 1_700_000_000_123_456_789  # 2023-11-14 22:13:20.123456789 UTC, a Tuesday


def run(body: str, now_ns: int = NOW_NS, seed: bytes = b"seed") -> tuple[Any, str]:
    """Run a body; return what it returned and what it printed."""
    lines = [line.strip("\n") for line in body.strip("\n").split("\n")]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    code = compiler.compile_action(ENTRY + "\n".join("    " + line[margin:] for line in lines) + "\n")
    output = environment.ActionOutput()
    namespace = environment.begin(now_ns, seed, output)
    try:
        exec(code, namespace)  # noqa: S102 - what the sandbox is for
        return namespace["on_execute_post_login"](None, None), output.text()
    finally:
        environment.end()


def value(body: str, now_ns: int = NOW_NS, seed: bytes = b"seed") -> Any:
    """Run a body, or an expression; return its value."""
    return run(body if "return" in body else f"return {body}", now_ns, seed)[0]


def call(source: str, event: Any, api: Any) -> None:
    """Run a whole action with an event and an api."""
    code = compiler.compile_action(source)
    namespace = environment.begin(NOW_NS, b"seed", environment.ActionOutput())
    try:
        exec(code, namespace)  # noqa: S102 - what the sandbox is for
        namespace["on_execute_post_login"](event, api)
    finally:
        environment.end()
