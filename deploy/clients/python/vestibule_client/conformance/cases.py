"""The cases: what the scripted daemon answers, what the user does, and what the gateway must do.

Knows the YAML; must not know processes or the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import json_format
from vestibule.v1 import decision_pb2

CASES: Final = Path(__file__).parent / "cases"
# Eight times as fast where the library has its C part.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EVENT: Final[Mapping[str, Mapping[str, Any]]] = {
    "user": {"user_id": "auth0|1", "email": "ada@example.com"},
    "client": {"client_id": "portal"},
    "transaction": {"id": "tx-1", "protocol": "oidc-basic-profile"},
    "request": {"ip": "192.0.2.7", "query": {}},
}


class ScriptError(Exception):
    """A script that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the daemon does with one call, and what the call must be like."""

    method: str = "ExecutePostLogin"
    decision: decision_pb2.Decision | None = None
    error: Mapping[str, Any] | None = None
    hangs: bool = False
    """Answer nothing until the caller gives up."""
    retry: bool = False
    """The call before, once more: the same request, byte for byte."""
    after_s: float = 0.0
    """Not sooner than this after the answer before."""
    expect: Mapping[str, Any] = field(default_factory=dict)
    """What the call must say: completed, continuation, query, prompt, gateway, authorization."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the user does (None: logs in), and what the gateway must do then, in order."""

    user: Mapping[str, Any] | None = None
    gateway: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One login, from its beginning to its end."""

    name: str
    description: str
    event: Mapping[str, Any]
    daemon: tuple[Answer, ...]
    turns: tuple[Turn, ...]


def load(paths: Iterable[Path] = ()) -> list[Case]:
    """Read cases: those of these files, or all that come with the kit. Raises: ScriptError."""
    files = list(paths) or sorted(CASES.glob("*.yaml"))
    return [case for path in files for case in _read(path)]


def _read(path: Path) -> Iterator[Case]:
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScriptError(f"{path}: cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise ScriptError(f"{path}: is no list of cases")
    for number, entry in enumerate(entries, 1):
        where = f"{path.name}: case {number}"
        try:
            yield _case(path.stem, entry)
        except KeyError as error:
            raise ScriptError(f"{where}: {error.args[0]} is missing") from None
        except (TypeError, AttributeError, ValueError, json_format.ParseError) as error:
            raise ScriptError(f"{where}: {error}") from None


def _case(group: str, entry: Mapping[str, Any]) -> Case:
    event: dict[str, Any] = {name: dict(members) for name, members in _EVENT.items()}
    for name, members in entry.get("event", {}).items():
        event[name] = {**event.get(name, {}), **members}
    daemon = [_answer(each) for each in entry["daemon"]]
    turns = [Turn(gateway=tuple(entry["gateway"]))]
    turns += [Turn(user=each["user"], gateway=tuple(each["gateway"])) for each in entry.get("then", ())]
    name = f"{group}/{entry['case']}"
    return Case(name=name, description=entry["must"], event=event, daemon=tuple(daemon), turns=tuple(turns))


def _answer(entry: Mapping[str, Any]) -> Answer:
    known = {"call", "decision", "error", "hangs", "retry", "after_s", "expect"}
    if unknown := entry.keys() - known:
        raise ValueError(f"{sorted(unknown)[0]!r} is no member of an answer; there are {', '.join(sorted(known))}")
    decision = None
    if "decision" in entry:
        decision = json_format.ParseDict(dict(entry["decision"]), decision_pb2.Decision())
    return Answer(
        method={"execute": "ExecutePostLogin", "continue": "ContinuePostLogin"}[entry.get("call", "execute")],
        decision=decision,
        error=entry.get("error"),
        hangs=entry.get("hangs", False),
        retry=entry.get("retry", False),
        after_s=entry.get("after_s", 0.0),
        expect=entry.get("expect", {}),
    )
