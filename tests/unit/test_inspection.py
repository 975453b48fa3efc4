"""The check of an action that compiles: what cannot work has a code, a place and the words of a login."""

# ruff: noqa: E501  tables: one case a line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.contract.check_examples import EXAMPLES
from sandbox.contract.codes import CODES, WARNINGS
from sandbox.inspection.source import inspect
from sandbox.language import compiler
from tests import action_body

ROOT = Path(__file__).resolve().parents[2]
HEAD = "def on_execute_post_login(event, api):\n"
# What no check of one source alone finds: files, secrets of a tenant, the code outside of functions, which is run.
ELSEWHERE = {
    "file", "tenant-file", "source", "too-large", "unknown-secret", "missing-secret", "unbound", "timeout-above-flow",
    "module-body", "not-inspected", "not-in-uses",
}  # fmt: skip


def found(source: str, secrets: frozenset[str] | None = None) -> list[compiler.SourceFault]:
    """What the check of one source finds, as a worker looks at it."""
    return compiler.check(source) or inspect(source, secrets=secrets)


def codes(source: str, **options: Any) -> list[str]:
    return [fault.code for fault in found(source, **options)]


def body(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize("code", sorted(set(CODES) - ELSEWHERE))
def test_each_code_has_an_example_that_is_found(code: str) -> None:
    """The example of a code is found by that code alone, and its better half by none."""
    bad, good = EXAMPLES[code]
    assert set(codes(bad)) == {code}
    assert codes(good) == []


def test_the_examples_are_of_codes() -> None:
    """Each example is of a code that there is."""
    assert set(EXAMPLES) - set(CODES) == set()
    assert set(CODES) - set(EXAMPLES) <= ELSEWHERE


# What stands in a handler -> (line and column of the finding, code, words of the message).
FAULTS: dict[str, tuple[tuple[str, ...], tuple[int, int], str, list[str]]] = {
    "a member": (("print(event.user.emial)",), (2, 22), "unknown-member", ["event.user", "'emial'", "did you mean 'email'?"]),
    "a part of the event": (("print(event.usr.email)",), (2, 17), "unknown-member", ["event has", "'usr'", "did you mean 'user'?"]),
    "a camelCase member": (("print(event.user.emailVerifed)",), (2, 22), "unknown-member", ["did you mean 'emailVerified'?"]),
    "one assignment": (("user = event.user", "print(user.emial)"), (3, 16), "unknown-member", ["'emial'"]),
    "two assignments": (("who = event", "user = who.user", "print(user.emial)"), (4, 16), "unknown-member", ["'emial'"]),
    "a walrus": (("if (user := event.user) and user.emial:", "    print(1)"), (2, 38), "unknown-member", ["'emial'"]),
    "a key": (("print(event.client['nmae'])",), (2, 11), "unknown-member", ["event.client", "'nmae'", "did you mean 'name'?"]),
    "an item of a list": (("for method in event.authentication.methods:", "    print(method.nmae)"), (3, 22), "unknown-member", ["'nmae'", "did you mean 'name'?"]),
    "an item by index": (("print(event.authentication.methods[0].nmae)",), (2, 43), "unknown-member", ["'nmae'"]),
    "in a comprehension": (("print([m.nmae for m in event.authentication.methods])",), (2, 14), "unknown-member", ["'nmae'"]),
    "behind or": (("for m in (event.authentication.methods or ()):", "    print(m.nmae)"), (3, 17), "unknown-member", ["'nmae'"]),
    "behind a condition": (("ms = event.authentication.methods if event.authentication else ()", "print([m.nmae for m in ms])"), (3, 14), "unknown-member", ["'nmae'"]),
    "getattr": (("print(getattr(event.user, 'emial', None))",), (2, 11), "unknown-member", ["'emial'"]),
    "in": (("print('emial' in event.user)",), (2, 11), "unknown-member", ["did you mean 'email'?"]),
    "a method of text": (("print(event.user.user_id.toLowerCase())",), (2, 30), "unknown-attribute", ["x.lower()"]),
    "a method of a list": (("print(event.authorization.roles.includes('a'))",), (2, 37), "unknown-attribute", ["'includes'"]),
    "a member of metadata": (("print(event.user.app_metadata.plan)",), (2, 35), "unknown-attribute", ["x['plan']", "x.get('plan')"]),
    "a path": (("print(event.get('user.emial'))",), (2, 11), "unknown-path", ["'emial'", "did you mean 'email'?"]),
    "a path below text": (("print(event.get('user.email.domain'))",), (2, 11), "unknown-path", ["nothing below it"]),
    "a path of a part": (("print(event.client.get('nmae'))",), (2, 11), "unknown-path", ["'nmae'"]),
    "an index that is missing": (("print(event.get('authentication.methods.name'))",), (2, 11), "unknown-path", ["give an index"]),
    "a group": (("api.acess.deny('no')",), (2, 9), "unknown-call", ["'acess'", "did you mean 'access'?"]),
    "a call": (("api.multifactor.enabel('any')",), (2, 21), "unknown-call", ["'enabel'", "did you mean 'enable'?"]),
    "a call by another name": (("mfa = api.multifactor", "mfa.enabel('any')"), (3, 9), "unknown-call", ["'enabel'"]),
    "a JavaScript call": (("api.idToken.setCustomClam('a', 1)",), (2, 17), "unknown-call", ["did you mean 'setCustomClaim'?"]),
    "a provider": (("api.multifactor.enable('gaurdian')",), (2, 5), "call-arguments", ["'gaurdian'", "did you mean 'guardian'?"]),
    "a keyword": (("api.multifactor.enable('none', allow_remember=True)",), (2, 5), "call-arguments", ["did you mean 'allow_remember_browser'?"]),
    "a type": (("api.multifactor.enable('none', allow_remember_browser='no')",), (2, 5), "call-arguments", ["True or False", "'no'"]),
    "an option": (("api.multifactor.enable('none', {'allowRememberBrowsr': True})",), (2, 5), "call-arguments", ["did you mean 'allowRememberBrowser'?"]),
    "too few": (("api.access.deny()",), (2, 5), "call-arguments", ["reason is missing"]),
    "too many": (("api.access.deny('a', 'b', 'c')",), (2, 5), "call-arguments", ["takes 2", "got 3"]),
    "twice": (("api.access.deny('a', reason='b')",), (2, 5), "call-arguments", ["given twice"]),
    "a part of the event as text": (("api.access.deny(event.user)",), (2, 5), "call-arguments", ["text", "User"]),
    "a constant of the action": (("reason = 7", "api.access.deny(reason)"), (3, 5), "call-arguments", ["text", "7"]),
    "a restricted claim": (("api.id_token.set_custom_claim('sub', event.user.email)",), (2, 5), "call-arguments", ["restricted claim 'sub'"]),
    "a factor": (("api.authentication.challenge_with({'type': 'sms'})",), (2, 5), "call-arguments", ["preferred_method"]),
    "a factor among others": (("api.authentication.challenge_with_any([{'type': event.user.email}, {'type': 'phon'}])",), (2, 5), "call-arguments", ["factors[1]", "did you mean 'phone'?"]),
    "a factor's option": (("api.authentication.challenge_with({'type': 'phone', 'options': {'prefered_method': 'sms'}})",), (2, 5), "call-arguments", ["did you mean 'preferred_method'?"]),
    "a URL": (("if api.redirect.can_redirect():", "    api.access.deny('a', 1)"), (3, 9), "call-arguments", ["detail"]),
    "no continue": (("api.redirect.send_user_to('https://example.com')",), (2, 5), "no-continue", ["define on_continue_post_login"]),
    "no continue after a form": (("api.prompt.render('form')",), (2, 5), "no-continue", ["define on_continue_post_login"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_work_is_found_at_its_place(name: str) -> None:
    """One finding, at the very word, in the words of a login."""
    lines, place, code, words = FAULTS[name]
    (fault,) = found(body(*lines))
    assert (fault.line, fault.column, fault.code) == (*place, code)
    assert all(word in fault.message for word in words), fault.message
    assert code not in WARNINGS
    assert fault.end_line == fault.line
    assert fault.end_column > fault.column


@pytest.mark.parametrize(
    "name", [name for name, case in FAULTS.items() if case[2] in ("unknown-path", "call-arguments")]
)
def test_the_words_are_those_of_a_login(name: str) -> None:
    """What the check says, the login that would have met it says too."""
    lines, _, _, _ = FAULTS[name]
    source = body(*lines)
    (fault,) = found(source)
    from vestibule.v1 import event_pb2

    from sandbox.action import api, event

    view = event.Event(event_pb2.PostLoginEvent(), {})
    with pytest.raises((AttributeError, TypeError, ValueError)) as raised:
        action_body.call(source, view, api.make_api(api.CommandRecorder(view)))
    said = str(raised.value)
    # The sample of the check has no text where a login has some.
    assert fault.message == said or name == "a factor among others"


HELPERS = (
    "def mail(user):\n    return user.emial\n\n" + body("print(mail(event.user))"),
    "def mail(who, *, what=None):\n    return who.user.emial\n\n" + body("print(mail(who=event))"),
    "def ask(calls):\n    calls.multifactor.enabel('any')\n\n" + body("ask(api)"),
    "def outer(e):\n    return inner(e.user)\n\ndef inner(u):\n    return u.emial\n\n" + body("print(outer(event))"),
    "from vestibule_actions import Event\n\ndef mail(e: Event) -> str:\n    return e.user.emial\n\n" + body("print(1)"),
    "def user_of(e):\n    return e.user\n\n" + body("print(user_of(event).emial)"),
    body("def inner():", "    return event.user.emial", "print(inner())"),
)


@pytest.mark.parametrize("source", HELPERS)
def test_helpers_are_followed(source: str) -> None:
    """What a handler hands to a helper, by position, by name or through another one, is known in it."""
    assert codes(source) in (["unknown-member"], ["unknown-call"])


# What could be right in some login is no finding.
FINE = (
    body("print(event.user.attributes['anything'], event.user['groups'], event.get('user.groups', []))"),
    body("print(event.user.app_metadata['a']['b'].anything)"),
    body("for part in (event.user, event.client, event.tenant):", "    print(part.name or part.id)"),
    body("x = event.user", "x = {}", "print(x.get('a'))"),
    body("x = None", "if event.user.multifactor:", "    x = {}", "print(x.get('a') if x else 1)"),
    "def f(x):\n    return x.anything\n\n" + body("print(f(event.user.app_metadata.get('a')))"),
    "def f(x):\n    return x.get('email')\n\n" + body("print(f(event.user), f({'email': 1}))"),
    "def f(x):\n    return x.emial\n\n" + body("print([f, f(event.user)])"),
    body("api.access.deny(event.user.email or 'no')"),
    body("api.access.deny(*event.authorization.roles)"),
    body("options = dict(allow_remember_browser=False)", "api.multifactor.enable('none', options)"),
    body("api.multifactor.enable('none', **{'allow_remember_browser': False})"),
    body("api.authentication.challenge_with({'type': event.user.enrolled_factors[0].type})"),
    body("api.authentication.challenge_with_any([{'type': f.type} for f in event.user.enrolled_factors or ()])"),
    body("api.multifactor.enable('duo', provider_options={'host': event.secrets['H'], 'username': event.user.nickname})")
    .replace("'duo'", "'none' if event.get('transaction.protocol') else 'duo'"),
    body("return api.access.deny('no')"),
    body("return None"),
    body("try:", "    event.user.app_metadata['a']", "except KeyError:", "    api.access.deny('no')"),
    "def check(value):\n    if not value:\n        raise ValueError('empty')\n\n"
    + body("try:", "    check(event.user.email)", "except ValueError:", "    api.access.deny('no')"),
    body("event.user.email and api.access.deny('no')"),
    body("x = dict(event.user.app_metadata)", "x['a'] = 1", "print(x)"),
    body("roles = list(event.authorization.roles)", "roles.append('a')", "print(roles)"),
    body("if event.authentication.methods[0].name == 'https://example.com/method':", "    api.access.deny('no')"),
    body("if event.get('transaction.protocol', 'none') == 'none':", "    api.access.deny('no')"),
    body("if event.stats.logins_count == 1.0:", "    api.access.deny('no')"),
    body("return  # vestibule: nothing is allowed here"),
    "import re\nP = re.compile('a')\n" + body("print(P.match(event.user.user_id), re.sub('a', r'\\\\1', 'b'))"),
    "from datetime import UTC, datetime\n" + body("print(datetime.now(UTC) - datetime.fromisoformat(event.user.created_at))"),
    "from datetime import datetime\n" + body("print(datetime.now() - datetime(2024, 1, 1))"),
    "from datetime import UTC, datetime\n" + body("print(datetime.now(UTC).weekday(), datetime.now(UTC).date().isoformat())"),
    "TOTAL = 0\n" + body("n = 0", "def add():", "    nonlocal n", "    n += 1", "add()", "print(n)"),
    "import math\n" + body("print(math.pi)"),
)  # fmt: skip


@pytest.mark.parametrize("source", FINE)
def test_what_could_be_right_is_no_finding(source: str) -> None:
    """The controls: no false alarm."""
    assert found(source) == []


# Source -> codes of its warnings, in order.
WARNED: tuple[tuple[str, list[str]], ...] = (
    (body("return {'mfa': 'required'}"), ["returned-value"]),
    (body("return True"), ["returned-value"]),
    (body("return event.user.email"), ["returned-value"]),
    (body("api.access.deny"), ["no-effect"]),
    (body("event.user.email == 'a'"), ["no-effect"]),
    (body("event.user.email"), ["no-effect"]),
    ("def deny(api):\n    api.access.deny('no')\n\n" + body("deny"), ["no-effect"]),
    ("def vip(event):\n    return event.user.multifactor\n\n" + body("if vip:", "    api.access.deny('no')"), ["function-as-condition"]),
    (body("if not event.user.user_id.isdigit:", "    api.access.deny('no')"), ["function-as-condition"]),
    (body("x = event.user.multifactor", "if x and event.get:", "    api.access.deny('no')"), ["function-as-condition"]),
    (body("if event.user.email.lower == 'a@b.c':", "    api.access.deny('no')"), ["function-as-condition"]),
    (body("print([m for m in event.authentication.methods if m.name.isdigit])"), ["function-as-condition"]),
    (body("event.user.app_metadata['x'] = 1"), ["event-write"]),
    (body("event.user.user_metadata['a']['b'] = 1"), ["event-write"]),
    (body("meta = event.user.app_metadata", "meta['x'] = 1"), ["event-write"]),
    (body("event.user.app_metadata.update(a=1)"), ["event-write"]),
    (body("event.user.app_metadata['a'].append(1)"), ["event-write"]),
    (body("del event.user.app_metadata['x']"), ["event-write"]),
    (body("event.user.app_metadata['n'] += 1"), ["event-write"]),
    (body("event.authorization.roles.append('admin')"), ["event-write"]),
    (body("if event.transaction.protocol == 'refresh_token':", "    api.access.deny('no')"), ["never-equal"]),
    (body("if event.get('authentication.riskAssessment.confidence') in ('low', 'none'):", "    api.access.deny('no')"), ["never-equal"]),
    (body("print([m for m in event.authentication.methods if m.type == 'sms'])"), ["never-equal"]),
    (body("if event.user.email_verified == 'true':", "    api.access.deny('no')"), ["never-equal"]),
    (body("if '1' == event.stats.logins_count:", "    api.access.deny('no')"), ["never-equal"]),
    (body("if isinstance(event.user.app_metadata, list):", "    api.access.deny('no')"), ["never-equal"]),
    (body("api.access.deny('a')", "return", "print(1)"), ["unreachable"]),
    (body("api.access.deny('a')", "if event.user.email:", "    api.id_token.set_custom_claim('https://a.b/c', 1)"), ["unreachable"]),
    (body("raise ValueError('a')", "print(1)"), ["raise-to-deny", "unreachable"]),
    ("def check(v):\n    if not v:\n        raise ValueError('no')\n\n" + body("check(event.user.email)"), ["raise-to-deny"]),
    (body("try:", "    print(1)", "except ValueError:", "    raise RuntimeError('no')"), ["raise-to-deny"]),
    (body("api.multifactor.enable('any')"), ["mfa-on-refresh"]),
    (body("api.multifactor.enable(provider='duo', allow_remember_browser=False)"), ["mfa-on-refresh"]),
    (body("if event.get('transaction.protocol') != 'oauth2-refresh-token':", "    api.multifactor.enable('any')"), []),
    (body("if event.refresh_token is None:", "    api.multifactor.enable('any')"), []),
    (body("api.access.deny('a')") + "\ndef on_continue_post_login(event, api):\n    print(1)\n", ["not-resumed"]),
    ("from datetime import datetime\n" + body("if datetime.fromisoformat(event.user.created_at) > datetime.now():", "    api.access.deny('no')"), ["naive-datetime"]),
    ("import datetime\n" + body("now = datetime.datetime.utcnow()", "made = datetime.datetime.fromisoformat(event.user.created_at.replace('Z', '+00:00'))", "print(now - made)"), ["naive-datetime"]),
    ("from datetime import UTC, datetime\nEND = datetime(2030, 1, 1)\n" + body("if datetime.now(UTC) > END:", "    api.access.deny('no')"), ["naive-datetime"]),
    ("SEEN = []\nCOUNT = 0\n" + body("global COUNT", "COUNT = 1"), ["global"]),
)  # fmt: skip


@pytest.mark.parametrize(("source", "wanted"), WARNED)
def test_what_is_probably_not_meant_is_a_warning(source: str, wanted: list[str]) -> None:
    """Each habit has its code, and its better form none."""
    faults = found(source)
    assert sorted(fault.code for fault in faults) == sorted(wanted), faults
    assert {fault.code for fault in faults} <= WARNINGS


def test_secrets_are_compared_with_the_tenants() -> None:
    """A secret that the tenant does not give is a fault by subscript, a warning by get, and nothing where none is known."""
    source = body("print(event.secrets['DUO_KEI'], event.secrets.get('OTHER'), event.get('secrets.THIRD'))")
    faults = found(source, secrets=frozenset({"DUO_KEY"}))
    assert sorted(fault.code for fault in faults) == ["missing-secret", "missing-secret", "unknown-secret"]
    assert "did you mean 'DUO_KEY'?" in next(fault.message for fault in faults if fault.code == "unknown-secret")
    assert found(source) == []
    assert found(source, secrets=frozenset({"DUO_KEI", "OTHER", "THIRD"})) == []


class TestAllowing:
    """`# vestibule: allow CODE reason`."""

    def test_in_the_line_and_in_the_line_before(self) -> None:
        """Both say that a warning is meant, also of a statement of several lines."""
        assert codes(body("return 1  # vestibule: allow returned-value it is for a test")) == []
        assert codes(body("# vestibule: allow returned-value it is for a test", "return 1")) == []
        assert codes(body("api.multifactor.enable(  # vestibule: allow mfa-on-refresh meant", "    'any',", ")")) == []
        lines = (
            "# vestibule: allow raise-to-deny meant",
            "# vestibule: allow unreachable meant",
            "",
            "raise ValueError",
        )
        assert codes(body(*lines)) == ["allow-comment"]

    def test_it_wants_a_reason_and_something_to_allow(self) -> None:
        """A comment without a reason allows nothing, and one without a finding is a finding."""
        assert sorted(codes(body("return 1  # vestibule: allow returned-value"))) == ["allow-comment", "returned-value"]
        assert codes(body("print(1)  # vestibule: allow returned-value nothing")) == ["allow-comment"]
        assert codes(body("x = '# vestibule: allow returned-value nothing'", "print(x)")) == []

    def test_no_fault_is_allowed(self) -> None:
        """A fault stays one, and a code that there is none of is one."""
        assert sorted(codes(body("print(event.usr)  # vestibule: allow unknown-member meant"))) == [
            "allow-comment",
            "unknown-member",
        ]
        (fault,) = found(body("print(1)  # vestibule: allow retuned-value nothing"))
        assert (fault.code, "did you mean 'returned-value'?" in fault.message) == ("unknown-code", True)


ACTIONS = sorted(
    path
    for folder in ("deploy/templates", "deploy/demo/tenants", "runtime/cli/demo_files")
    for path in (ROOT / folder).rglob("actions/*.py")
)


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_templates_and_the_demo_are_clean(path: Path) -> None:
    """No template and no action of the demo has a finding that is not allowed with a reason."""
    assert found(path.read_text(encoding="utf-8")) == []


def test_deep_and_wide_sources_are_looked_at() -> None:
    """A chain of a thousand names, or a thousand calls of one helper, ends without a finding and without an end of the stack."""
    chain = "".join(f"    x{n + 1} = x{n}\n" for n in range(1000))
    assert set(codes(HEAD + "    x0 = event\n" + chain + "    print(x1000)\n")) == set()
    helpers = (
        "".join(f"def f{n}(e):\n    return f{n + 1}(e)\n" for n in range(300)) + "def f300(e):\n    return e.user\n"
    )
    assert codes(helpers + body("print(f0(event))")) == []
    assert codes("def f(e):\n    return f(e)\n" + body("print(f(event).user)")) == []
