"""`uses` of a binding: what its action may call, as the check, the worker and the daemon each hold it to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog import applies, directory, images, tenant_writer, versions
from runtime.catalog.base import Binding
from runtime.catalog.comparison import changes
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.versions import Author
from runtime.core.model import OnError
from runtime.errors import CatalogError
from runtime.login.plan import Plan
from sandbox.action import alarm, execution, live
from sandbox.contract import bundle
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler
from sandbox.language.program import compile_program
from sandbox.process.flows import Prepared
from tests.fixtures.tenants import define
from tests.unit.test_flow import COMPLETED, Rig, make, step, verdicts  # noqa: F401 - a fixture

ONLY = frozenset({"multifactor"})
DENY = "api.access.deny('no')"


@pytest.fixture
def _alarm() -> Iterator[None]:
    alarm.install()
    yield
    alarm.disarm()


def action(body: str) -> str:
    return f"def {ENTRY}(event, api):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def run(body: str, uses: frozenset[str] | None) -> worker_pb2.StepReport:
    code = compiler.compile_action(action(body), alarm.ACTION_FILENAME)
    report, _, _ = execution.execute(
        code, ENTRY, event_pb2.PostLoginEvent(), {}, 0, b"seed", 0, 10**9, 4096, live.FlowState(), uses=uses
    )
    return worker_pb2.StepReport.FromString(report)


@pytest.mark.usefixtures("_alarm")
@pytest.mark.parametrize(
    "call",
    [
        DENY,
        "getattr(api, 'access').deny('no')",
        "api.multifactor.enable('any').access.deny('no')",
        "api.cache.set('k', 'v')",
        "api.cache.get('k')",
        "api.redirect.can_redirect()",
    ],
)
def test_a_call_that_is_not_used_raises(call: str) -> None:
    """However the call is written; nothing of the execution counts then. Control: without a limit it completes."""
    report = run(call, ONLY)
    assert report.error_type == "PermissionError"
    assert "the action's binding uses multifactor: add " in report.error_message
    assert not report.commands
    assert run(call, None).error_message == ""


@pytest.mark.usefixtures("_alarm")
def test_a_refusal_that_is_caught_records_nothing() -> None:
    """The calls that are used are recorded beside it."""
    body = f"api.multifactor.enable('any')\ntry:\n    {DENY}\nexcept PermissionError as error:\n    print(error)"
    report = run(body, ONLY)
    assert [command.op for command in report.commands] == ["multifactor.enable"]
    assert report.output.startswith("api.access.deny: the action's binding uses multifactor: add access to its `uses`")
    assert run("pass", frozenset()).verdict == COMPLETED


@pytest.mark.parametrize("uses", [("multifactor",), ()])
async def test_a_hostile_worker_does_not_get_past(make: Any, uses: tuple[str, ...]) -> None:  # noqa: F811  a fixture
    """What a binding does not use is a violation in a report, although the table knows the call.

    Control: the same report decides where the binding is not limited, or uses the group.
    """
    lie = step(COMPLETED, ("access.deny", '{"reason":"no"}'))
    for limit, wanted in ((uses, ["VIOLATED"] * 3), (None, ["COMPLETED", "SKIPPED", "SKIPPED"]), (("access",), None)):
        rig: Rig = await make()
        flow = rig.catalog.flow
        flow = replace(flow, bindings=tuple(replace(binding, uses=limit) for binding in flow.bindings))
        rig.plan = Plan(flow, rig.catalog.sources, 60_000)
        rig.plan.keep([b"code"] * len(flow.bindings))
        task = rig.run()
        spawned, asked = await rig.question()
        rig.answer(spawned, asked.nonce, lie)
        assert verdicts(await task) == (wanted or ["COMPLETED", "SKIPPED", "SKIPPED"])


def test_a_worker_is_told() -> None:
    """The steps of a flow say what each binding uses, and that an empty list is not the same as no limit."""
    sha = "0" * 64
    flow = define("acme").flow
    bindings = (Binding("a", sha, uses=("access",)), Binding("b", sha, uses=()), Binding("c", sha))
    steps = worker_pb2.FlowSteps.FromString(Plan(replace(flow, bindings=bindings), {sha: ""}, 1).all_steps).steps
    assert [Prepared(one, b"", None).uses for one in steps] == [frozenset({"access"}), frozenset(), None]  # type: ignore[arg-type]  # no policy


def test_the_check_finds_it_at_its_place() -> None:
    """Each place at which the action's second argument is asked for a group that its binding does not use."""
    source = action("api.multifactor.enable('any')\nprint(api.access.deny, api.userMetadata)\nevent.access")
    with pytest.raises(compiler.Rejected) as caught:
        compile_program(bundle.to_check(source, ["multifactor"]), "<action>")
    assert [str(fault) for fault in caught.value.faults] == [
        "<action>:3:11: api.access: the action's binding uses multifactor: add access to its `uses` in tenant.yaml, "
        "or leave the call out"
    ]
    assert compile_program(bundle.to_check(source, None), "<action>").code
    renamed = source.replace("api", "a")
    with pytest.raises(compiler.Rejected, match=r"a\.access"):
        compile_program(bundle.to_check(renamed, []), "<action>")


def tenant(root: Path, uses: str) -> Path:
    folder = root / "acme"
    (folder / "actions").mkdir(parents=True, exist_ok=True)
    (folder / "actions/a.py").write_text(action(DENY))
    (folder / "tenant.yaml").write_text(f"tenant: acme\nflows: {{post_login: [{{action: a{uses}}}]}}\n")
    return folder


def test_it_is_read_checked_stored_and_written(tmp_path: Path) -> None:
    """From tenant.yaml to the check, the store, its versions and snapshots, and back; a change of it is a change."""
    seen: list[tuple[str, str]] = []

    def collect(sources: Any) -> Any:
        seen.extend(sources)
        return ()

    (limited,) = directory.load(tenant(tmp_path, ", uses: [multifactor, access, access]"), collect).definitions
    assert limited.flow.bindings[0].uses == ("access", "multifactor")
    assert bundle.unpack(seen[0][1]) == bundle.Bundle(action(DENY), {}, ["multifactor", "access", "access"])
    (free,) = directory.load(tenant(tmp_path, ", on_error: deny")).definitions
    assert free.flow.bindings[0] == replace(limited.flow.bindings[0], uses=None, on_error=OnError.DENY)
    assert list(limited.sources) == list(free.sources)

    database = SqliteDatabase(tmp_path / "flows.db")
    applies.apply(database, [free], author=Author("ada", 1))
    applies.apply(database, [limited], author=Author("ada", 2))
    with database.reading() as connection:
        first, second = (versions.version(connection, "acme", number) for number in (1, 2))
        states = [versions.content(connection, version) for version in (first, second)]
        served = images.read(connection, None, database.name, 3)
    assert [state.flow.bindings[0].uses for state in states if state] == [None, ("access", "multifactor")]
    assert served is not None
    assert served.snapshot.tenants["acme"].bindings == limited.flow.bindings
    assert "action a: uses everything -> [access, multifactor]" in map(str, second.changes)
    assert changes(limited.flow, limited.flow) == ()
    tenant_writer.export(tmp_path / "out", [tenant_writer.Exported(limited, "", "{}")])
    assert directory.load(tmp_path / "out").definitions == [limited]


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        (", uses: [acces]", "got text 'acces'; want one of multifactor, access, "),
        (", uses: [acces]", "did you mean 'access'?"),
        (", uses: access", "want a list"),
        (", uses: [5]", "want one of multifactor"),
    ],
)
def test_a_group_that_there_is_not(tmp_path: Path, uses: str, message: str) -> None:
    """It is a fault of tenant.yaml at its place."""
    with pytest.raises(CatalogError) as caught:
        directory.load(tenant(tmp_path, uses))
    assert message in str(caught.value)
