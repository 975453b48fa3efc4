"""The control of our own attacks: runs each as plain Python, in a process of its own, and says which of them succeed.

No sandbox: only for entries that do no harm when they succeed, as all of `own_attacks.jsonl`. Imports nothing of ours,
and runs as a program: where our packages are as arguments, a corpus in, JSON `{id: succeeded}` out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Iterable
from typing import Any, NoReturn

CHILD_S = 20
STACK_BYTES = 8 * 1024 * 1024
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL}
HANDLER = "on_execute_post_login"


class Thing:
    """An event or a part of it, as a framework without a sandbox would hand it out."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Group:
    """A group of `api`: keeps what it is given, by reference."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def deny(self, *args: Any, **kwargs: Any) -> Group:
        """Record any call."""
        self.calls.append((args, kwargs))
        return self

    enable = set_custom_claim = set_user_metadata = set_app_metadata = error = deny


def event() -> Thing:
    return Thing(
        user=Thing(
            user_id="auth0|1",
            email="a@example.com",
            app_metadata={"groups": ["staff"]},
            user_metadata={"use_mfa": True},
            attributes={"groups": ["staff"]},
        ),
        facts={"device": "known"},
        authorization=Thing(roles=["staff"]),
        request=Thing(query={"x": "n"}, body={}),
    )


def api(calls: list[Any]) -> Thing:
    group = Group(calls)
    names = ("access", "multifactor", "user", "id_token", "access_token", "validation")
    return Thing(**dict.fromkeys(names, group))


def login(source: str | bytes) -> str:
    """Run one action; return the text of everything it asked for and printed, whatever its end.

    Bytes are what a framework has that hands a file to the compiler as it is: then a cookie says how they are read.
    """
    calls: list[Any] = []
    module = types.ModuleType("action")
    try:
        exec(compile(source, "<action>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  it is the control
        getattr(module, HANDLER)(event(), api(calls))
    except Exception as error:  # noqa: BLE001  an attack that fails is an answer
        calls.append(error)
    # The framework reads what was recorded after the action has ended.
    return repr(calls)


def child(row: dict[str, Any]) -> NoReturn:
    """Try one attack and leave, by all means."""
    signal.alarm(CHILD_S)
    warnings.simplefilter("ignore")
    shown = login(row["code"].encode() if row.get("as_bytes") else row["code"])
    if row.get("followup"):
        shown = login(row["followup"])
    os._exit(0 if f"ESCAPED_{row['id']}" in shown else 1)


def crashes(row: dict[str, Any]) -> bool:
    """Say whether an attack kills its interpreter, which overwrites what is freed and has the usual stack."""
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_STACK, ({STACK_BYTES}, r.getrlimit(r.RLIMIT_STACK)[1]))"
    code = f"{limit}\n{row['code']}\n{HANDLER}(None, None)"
    command = [sys.executable, "-I", "-X", "dev", "-W", "ignore", "-c", code]
    nothing = subprocess.DEVNULL
    ran = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=CHILD_S * 3, check=False)
    return -ran.returncode in CRASHES


def main(lines: Iterable[str]) -> None:
    """Try every entry of a corpus whose syntax this Python has."""
    ended: dict[str, bool] = {}
    for line in lines:
        row = json.loads(line)
        if tuple(row.get("needs", ())) > sys.version_info[:2]:
            continue
        if row["success"] == "crash":
            ended[row["id"]] = crashes(row)
            continue
        pid = os.fork()
        if pid == 0:
            for descriptor in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            try:
                child(row)
            finally:
                os._exit(2)
        _, status = os.waitpid(pid, 0)
        ended[row["id"]] = os.waitstatus_to_exitcode(status) == 0
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    # Some attacks are after our own packages, which are within reach of a process that runs actions itself.
    sys.path += sys.argv[1:]
    main(sys.stdin)
