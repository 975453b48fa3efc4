"""Questions, as logins usually ask them, that a worker answers in the zygote before the first fork.

CPython fills its caches and specialises its bytecode as code runs, and each such write copies a page of its own in a
forked worker. What was rehearsed is written once, in pages that all workers share. Measured on CPython 3.11: a warm
worker has 0.35 MiB fewer private pages, and its first login finds its code specialised.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action.alarm import ACTION_FILENAME
from sandbox.language import compiler

# CPython specialises a function at its eighth call; what branches rarely needs more.
_ROUNDS: Final = 64
# Compiling is slower, and its code runs often enough in one round.
_COMPILE_EVERY: Final = 4
_BUDGET_US: Final = 1_000_000

ACTIONS: Final = (
    """
import json

SENSITIVE = frozenset({"admin-console", "payroll"})


def on_execute_post_login(event, api):
    metadata = event.user.user_metadata
    if event.client.client_id in SENSITIVE or metadata.get("use_mfa"):
        api.multifactor.enable("any", allow_remember_browser=False)
    json.dumps(metadata)
""",
    """
def presented(event):
    methods = event.authentication.methods if event.authentication else ()
    return any(method.name == "mfa" for method in methods)


def on_execute_post_login(event, api):
    if not presented(event) and event.transaction.protocol != "oauth2-refresh-token":
        print(f"asked {event.get('organization.name', 'none')}")
        api.id_token.set_custom_claim("https://example.com/asked", event.user.user_id)
""",
    """
def on_execute_post_login(event, api):
    try:
        event.user.app_metadata["absent"]
    except KeyError:
        raise ValueError("no such member")
""",
)


def questions(rounds: int = _ROUNDS) -> Iterator[bytes]:
    """Yield serialized RunFlow messages, to be answered by one worker in this order."""
    event = _event().SerializeToString()
    sources = [{"source": source} for source in ACTIONS]
    codes = [{"code": marshal.dumps((compiler.compile_action(source, ACTION_FILENAME), ()))} for source in ACTIONS]
    for number in range(rounds):
        revision, again = divmod(number, _COMPILE_EVERY)
        yield worker_pb2.RunFlow(
            nonce=number + 1,
            event=event,
            flow=_flow(revision, [{}] * len(ACTIONS) if again else codes if revision % 2 else sources),
            seed=bytes(16),
            budget_us=_BUDGET_US * len(ACTIONS),
            output_bytes=1024,
        ).SerializeToString()


def _flow(revision: int, loads: Sequence[Mapping[str, Any]]) -> bytes:
    data: bytes = worker_pb2.FlowSteps(
        steps=[
            worker_pb2.Step(
                action=f"rehearsed-{index}", revision=b"%d.%d" % (revision, index), budget_us=_BUDGET_US, **load
            )
            for index, load in enumerate(loads)
        ]
    ).SerializeToString()
    return data


def _event() -> event_pb2.PostLoginEvent:
    event = event_pb2.PostLoginEvent()
    event.user.user_id = "auth0|rehearsal"
    event.user.user_metadata.update({"use_mfa": True})
    event.client.client_id = "admin-console"
    event.authentication.methods.add(name="pwd")
    event.transaction.protocol = "oidc-basic-profile"
    event.request.ip = "192.0.2.1"
    return event
