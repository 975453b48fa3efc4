"""An error tells its author what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from vestibule.v1.event_pb2 import PostLoginEvent, User

from sandbox.action.event import Event
from sandbox.contract import surface
from sandbox.contract.call import bind
from sandbox.language import compiler


def _faults(body: str) -> str:
    source = f"def on_execute_post_login(event, api):\n    {body}\n"
    return "\n".join(fault.message for fault in compiler.check(source, "action.py"))


@pytest.mark.parametrize("given", ["google_authenticator", "google-autenticator", "Google-Authenticator"])
def test_a_nearly_right_provider_is_named(given: str) -> None:
    """The author sees every provider there is, and the one that was probably meant."""
    with pytest.raises(ValueError, match=r"one of any, guardian.*did you mean 'google-authenticator'\?"):
        bind(surface.CALLS["multifactor.enable"], (given,), {})


def test_datetime_without_import_shows_both_imports() -> None:
    """`datetime.now()` wants the class, `datetime.datetime.now()` the module; the fault cannot know which is meant."""
    message = _faults("print(datetime.now())")
    assert "`from datetime import datetime`" in message
    assert "`import datetime`" in message


def test_a_builtin_out_of_reach_lists_those_within() -> None:
    """No author has to look for a list."""
    message = _faults("print(BytesWarning)")
    assert "which is abs, all, any" in message
    assert "zip" in message


def test_an_enrolled_factor_is_no_factor_to_ask_for() -> None:
    """Auth0 takes the user's own list; here the error says how to make factors of it."""
    user = User(enrolled_factors=User.EnrolledFactors(values=[User.EnrolledFactor(type="otp")]))
    enrolled: Any
    (enrolled,) = Event(PostLoginEvent(user=user), {}).user.enrolled_factors
    with pytest.raises(TypeError, match=r"write \{'type': factor.type\}"):
        bind(surface.CALLS["authentication.challenge_with_any"], ([enrolled],), {})


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("exports.onExecutePostLogin = async (event, api) => {", "`def on_execute_post_login(event, api):`"),
        ("const x = 1", "`name = value`"),
        ("function f(a) {", "`def name(...):`"),
        ("switch (x) {", "`if`, `elif` and `else`"),
        ("if event.user.email === 'x': pass", "`==`"),
        ("if event.user.email !== 'x': pass", "`!=`"),
        ("if (a && b): pass", "`and`"),
        ("x = a || b", "`or`"),
        ("x = a ?? b", "is not None else"),
        ("let = event.user?.email", "event.get("),
        ("x = a ? b : c", "`a if x else b`"),
        ("x = methods.some((m) => m.name)", "lambda"),
        ("i++", "`x += 1`"),
        ("// a comment", "`#` begins a comment"),
        ("if !x: pass", "`not x`"),
        ("if (x) {", "a colon"),
    ],
)
def test_a_line_of_javascript_shows_its_python(line: str, python: str) -> None:
    """The fault of a pasted snippet says what to write, at the place where the parser stopped."""
    (fault,) = compiler.check(f"{line}\n")
    assert fault.line == 1
    assert python in fault.message.partition("; in Python: ")[2]


@pytest.mark.parametrize("line", ["x = = 1", "x = (1", "x = {", "x = 1 +", "return a b", "def f()", "'a && b' c d e f"])
def test_other_faults_of_syntax_are_left_to_the_parser(line: str) -> None:
    """Its own words are enough where nothing looks like JavaScript."""
    assert "in Python" not in _faults(line)
