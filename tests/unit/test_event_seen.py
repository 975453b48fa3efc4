"""The event as an action sees it, through the language and the guards: looked at, copied, written and handed on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vestibule.worker.v1 import worker_pb2

from runtime.login import event_json
from sandbox.action import alarm, execution, live
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler

EVENT = {
    "user": {"user_id": "u", "email": "a@b.c", "app_metadata": {"plan": {"name": "gold"}}, "groups": ["x"]},
    "transaction": {"acr_values": ["one"], "metadata": {"k": 1}},
    "session": {"id": "s"},
    "authentication": {"methods": [{"name": "pwd", "timestamp": "2024-01-01T00:00:00Z"}]},
}


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    alarm.install()
    yield
    alarm.disarm()


def seen(body: str) -> worker_pb2.StepReport:
    """Run the body of an action on the event."""
    source = f"import copy\nimport json\ndef {ENTRY}(event, api):\n" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )
    code = compiler.compile_action(source, alarm.ACTION_FILENAME)
    report, _, _ = execution.execute(
        code, ENTRY, event_json.from_json(EVENT), {"KEY": "hidden"}, 10**18, b"seed", 0, 10**9, 4096, live.FlowState()
    )  # fmt: skip
    return worker_pb2.StepReport.FromString(report)


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("'email' in event.user, 'nickname' in event.user", "(True, False)"),
        ("[name for name in event.user if name != 'attributes'][:2]", "['user_id', 'app_metadata']"),
        ("len(event.authentication.methods[0]), bool(event.organization)", "(2, False)"),
        ("sorted(event.transaction.keys())", "['acr_values', 'attributes', 'metadata']"),
        ("{name: value for name, value in event.authentication.methods[0].items()}['name']", "pwd"),
        ("json.loads(json.dumps(event.user))['app_metadata']", "{'plan': {'name': 'gold'}}"),
        ("json.dumps({'m': event.authentication.methods}, default=str)[:21]", '{"m": [{"name": "pwd"'),
        ("event.authentication", "<event.authentication {'methods': [{'name': 'pwd', 'timestamp': "
         "'2024-01-01T00:00:00.000Z'}]}>"),
        ("event.secrets, json.loads(json.dumps(event))['secrets']", "({'KEY': '***'}, {'KEY': '***'})"),
        ("isinstance(event.transaction.acr_values, list), type(event.transaction.acr_values) is list", "(True, True)"),
        ("event.transaction.acr_values == ['one'], event.transaction.acr_values + ['two']", "(True, ['one', 'two'])"),
        ("event.user['groups'], event.user.get('groups.0')", "(['x'], 'x')"),
        ("isinstance(event.user.app_metadata, dict), {**event.user.app_metadata, 'a': 1}",
         "(True, {'plan': {'name': 'gold'}, 'a': 1})"),
        ("type(event.user.app_metadata) is dict, dict(**event.transaction.metadata)", "(True, {'k': 1})"),
        ("'%(k)s' % event.transaction.metadata, '{k}'.format(**event.transaction.metadata)", "('1', '1')"),
        ("list({**event.authentication.methods[0]})", "['name', 'timestamp']"),
        ("event.user.app_metadata['plan'] | {'x': 1}", "{'name': 'gold', 'x': 1}"),
    ],
)  # fmt: skip
def test_what_an_author_writes(expression: str, printed: str) -> None:
    """Each expression does what it does with plain data."""
    report = seen(f"value = {expression}\nprint(value)")
    assert (report.error_message, report.output.strip()) == ("", printed)


def test_a_copy_is_the_authors_own() -> None:
    """`dict`, `list`, `copy` and `deepcopy` give plain data that can be changed, and the event stays as it is."""
    report = seen(
        "mine = copy.deepcopy(event.user.app_metadata)\n"
        "mine['plan']['name'] = 'silver'\n"
        "flat = dict(event.transaction.metadata)\n"
        "flat['more'] = 2\n"
        "values = list(event.transaction.acr_values)\n"
        "values.append('two')\n"
        "shallow = copy.copy(event.transaction.metadata)\n"
        "shallow.update(z=1)\n"
        "print(mine, flat, values, shallow, event.user.app_metadata, event.transaction.acr_values)"
    )
    assert report.output.strip() == (
        "{'plan': {'name': 'silver'}} {'k': 1, 'more': 2} ['one', 'two'] {'k': 1, 'z': 1}"
        " {'plan': {'name': 'gold'}} ['one']"
    ), report.error_message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("event.user.app_metadata['x'] = 1", "event.user.app_metadata is read-only: call api.user.set_app_metadata"),
        ("event.user.app_metadata['plan']['name'] = 1", "event.user.app_metadata is read-only: call api.user"),
        ("del event.user.app_metadata['plan']", "event.user.app_metadata is read-only"),
        ("event.user.app_metadata.update(x=1)", "event.user.app_metadata is read-only"),
        ("event.transaction.metadata.setdefault('x', [])", "call api.transaction.set_metadata(key, value)"),
        ("event.transaction.acr_values.append('x')", "event.transaction.acr_values is read-only: copy it with list"),
        ("event.transaction.acr_values[0] = 'x'", "event.transaction.acr_values is read-only"),
        ("event.transaction.acr_values[:1] = []", "event.transaction.acr_values is read-only"),
        ("event.secrets['KEY'] = 'x'", "event.secrets is read-only"),
        (
            "user = event.user; user.email = 'x'",
            "event is read-only: put what you want to change into a variable",
        ),
        ("event.user.app_metadata.plan", "(an entry is read as `x['plan']`"),
        ("{event.user: 1}", "unhashable"),
    ],
)
def test_a_write_is_refused_with_the_remedy(statement: str, message: str) -> None:
    """No write into the event passes for one that counts: it raises, and says what to write instead."""
    report = seen(statement)
    assert message in report.error_message


def test_event_data_can_be_handed_on() -> None:
    """A call of the api takes a dict or a list of the event as it takes the author's own."""
    report = seen(
        "api.user.set_user_metadata('copy', event.user.app_metadata)\n"
        "api.id_token.set_custom_claim('https://a.example/acr', event.transaction.acr_values)"
    )
    assert [command.args_json for command in report.commands] == [
        '{"key":"copy","value":{"plan":{"name":"gold"}}}',
        '{"name":"https://a.example/acr","value":["one"]}',
    ], report.error_message


@pytest.mark.parametrize(
    ("instant", "message"),
    [
        ("1_000_003_600", "it looks like seconds: write milliseconds, 1000003600 * 1000"),
        ("999_000_000", "it looks like seconds"),
        ("999_999_999_999", "in the past: the execution's clock is at 1000000000000; to end it now, call revoke"),
        ("5", "in the past: the execution's clock is at 1000000000000"),
        ("1_000_000_000_001", ""),
    ],
)
@pytest.mark.parametrize("call", ["session.set_expires_at", "refresh_token.set_idle_expires_at"])
def test_an_expiry_that_has_passed_is_refused(call: str, instant: str, message: str) -> None:
    """Seconds in place of milliseconds would end every session at once."""
    report = seen(f"api.{call}({instant})")
    if message:
        assert report.error_type == "ValueError"
        assert report.error_message.startswith(f"api.{call}: expires_at is ")
    assert message in report.error_message
    assert bool(report.commands) is not bool(message)
