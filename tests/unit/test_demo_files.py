"""The demo's files: tenants that load, events that parse, logins that come out as announced.

The well-behaved actions run here as plain Python, with real events, a real recorder and the real fold. Hostile ones
need a sandbox and are not run here.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.catalog import directory
from runtime.catalog.base import Definition
from runtime.core.aggregate import aggregate, ends_flow
from runtime.core.model import Command, Execution, Verdict
from runtime.login import event_json, messages
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface
from sandbox.language import compiler
from sandbox.reach import environment

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
LOGINS: list[dict[str, Any]] = yaml.safe_load((DEMO / "logins.yaml").read_text())["logins"]
ACTIONS = sorted((DEMO / "tenants").glob("*/actions/*.py"))


@pytest.fixture(scope="module")
def tenants() -> dict[str, Definition]:
    return {found.flow.tenant: found for found in directory.load(DEMO / "tenants").definitions}


def run(source: str, event: Event, recorder: CommandRecorder) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(source, "<action>", "exec"), namespace)  # noqa: S102 - the project's own well-behaved samples
    namespace["on_execute_post_login"](event, make_api(recorder))


def test_every_tenant_loads(tenants: dict[str, Definition]) -> None:
    """`vestibule apply` accepts the directory: three tenants that behave and three that do not."""
    assert sorted(tenants) == ["acme", "aurora", "heritage", "mallory-escape", "mallory-loop", "mallory-memory"]
    assert all(found.flow.bindings for found in tenants.values())


def test_every_action_is_bound(tenants: dict[str, Definition]) -> None:
    """No sample lies about unused."""
    bound = {(name, binding.action) for name, found in tenants.items() for binding in found.flow.bindings}
    assert {(path.parents[1].name, path.stem) for path in ACTIONS} == bound


@pytest.mark.parametrize("path", ACTIONS, ids=[f"{path.parents[1].name}-{path.stem}" for path in ACTIONS])
def test_every_action_passes_the_language_check(path: Path) -> None:
    """Well-behaved actions are accepted, and the attacks are such as only show when they run."""
    assert environment  # imported, so that the check knows every module and builtin there is
    assert compiler.check(path.read_text(), path.name) == []
    assert path.read_text().startswith('"""')


def test_every_event_belongs_to_a_login_and_parses() -> None:
    """Each file is Auth0's JSON of an event with a user, and is used."""
    files = {path.name for path in (DEMO / "events").glob("*.json")}
    assert files == {login["event"] for login in LOGINS}
    for name in files:
        event = event_json.loads((DEMO / "events" / name).read_text())
        assert event.user.user_id
        assert event.request.ip


def test_every_login_says_what_to_look_at(tenants: dict[str, Definition]) -> None:
    """The list names tenants that exist and announces an outcome for each login."""
    assert {login["tenant"] for login in LOGINS} == set(tenants)
    for login in LOGINS:
        assert login.keys() - {"verdicts", "then"} == {"tenant", "event", "title", "outcome", "see"}
        outcomes = [login["outcome"], *(back["outcome"] for back in login.get("then", ()))]
        # Each part but the last waits for the user.
        assert set(outcomes[:-1]) <= {"suspend"}
        assert outcomes[-1] in {"allow", "mfa_required", "deny"}
        for back in login.get("then", ()):
            assert back.keys() - {"again"} in ({"completed", "outcome", "see"}, {"page", "outcome", "see"})
        actions = {binding.action for binding in tenants[login["tenant"]].flow.bindings}
        assert set(login.get("verdicts", {})) <= actions


# Those that wait for their user are walked through with a real daemon, in the tests of the command.
BEHAVED = [login for login in LOGINS if not login["tenant"].startswith("mallory") and "then" not in login]
PROVIDERS = {
    "admin-application.json": ("any", False),
    "opted-in-user.json": ("any", False),
    "monthly-application.json": ("any", True),
    "outside-network.json": ("any", False),
    "outside-network-ipv6.json": ("any", False),
    "vpn-with-duo.json": ("duo", False),
    "passkey.json": ("none", None),
    "refresh-token.json": ("none", None),
    "classic-contractor.json": ("google-authenticator", False),
}


@pytest.mark.parametrize("login", BEHAVED, ids=[login["event"] for login in BEHAVED])
def test_logins_come_out_as_announced(login: dict[str, Any], tenants: dict[str, Definition]) -> None:
    """Each login shows the use case its title names: the announced outcome, provider and memory of the browser."""
    found = tenants[login["tenant"]]
    message = event_json.loads((DEMO / "events" / login["event"]).read_text())
    executions: list[Execution] = []
    for binding in found.flow.bindings:
        if executions and ends_flow(executions[-1]):
            break
        recorder = CommandRecorder(Event(message, {}))
        run(found.sources[binding.revision], Event(message, found.flow.secrets.get(binding.action, {})), recorder)
        commands = recorder.encoded()
        checked = surface.parse_all(commands)
        executions.append(
            Execution(
                binding.action,
                binding.revision,
                binding.on_error,
                Verdict.COMPLETED,
                tuple(Command(op, args) for (op, _), args in zip(commands, checked, strict=True)),
            )
        )
    decision = aggregate(executions, found.flow.settings, messages.EventReader(message.SerializeToString()))
    assert decision.outcome == login["outcome"]
    assert not decision.degraded
    wanted = PROVIDERS.get(login["event"])
    if wanted is not None:
        assert decision.multifactor is not None
        assert (decision.multifactor.provider, decision.multifactor.allow_remember_browser) == wanted
    if login["event"] == "vpn-with-duo.json":
        assert decision.multifactor is not None
        assert decision.multifactor.provider_options == {
            "host": "api-acme.duo.example",
            "ikey": "DIACMEACMEACMEACME00",
            "skey": "a-demo-key-that-opens-nothing",
            "username": "ada",
        }
