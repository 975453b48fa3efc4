"""Pages, forms and the tokens that travel along: what the calls accept, sign, and believe of what comes back."""

import base64
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.login import event_json
from sandbox.action import execution
from sandbox.action.alarm import ACTION_FILENAME, disarm, install
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.action.live import FlowState
from sandbox.contract import surface, tokens
from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.language import compiler

NOW_S = 1_700_000_000
SECRET = "a secret of thirty-two characters, at least"
HOST, USER, STATE = "login.example.com", "auth0|1", "st-1"
OTP = {"type": "otp"}


def event(
    query: dict[str, Any] | None = None, body: dict[str, Any] | None = None, **members: Any
) -> event_pb2.PostLoginEvent:
    request = {"hostname": HOST, "ip": "192.0.2.1", "query": query or {}, "body": body or {}}
    return event_json.from_json({"request": request, "user": {"userId": USER}, **members})


def begin(
    message: event_pb2.PostLoginEvent | None = None, *, continues: bool = True, continuing: bool = False
) -> tuple[Any, CommandRecorder]:
    view = Event(message or event(), {})
    recorder = CommandRecorder(
        view,
        clock_ns=NOW_S * 10**9 + 5 * 10**8,
        handler=CONTINUE if continuing else ENTRY,
        defined=(CONTINUE,) if continues else (),
    )
    return make_api(recorder), recorder


def jwt(claims: Any, secret: str = SECRET, header: Any = None, signature: bytes | None = None) -> str:
    """Make a token as anybody might, apart from `sandbox.contract.tokens`."""
    parts = [
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=")
        for part in ({"typ": "JWT", "alg": "HS256"} if header is None else header, claims)
    ]
    text = b".".join(parts)
    made = hmac.new(secret.encode(), text, "sha256").digest() if signature is None else signature
    return (text + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode()


CLAIMS = {"iss": HOST, "sub": USER, "exp": NOW_S + 60, "state": STATE, "passed": True}


@pytest.mark.parametrize(
    ("call", "op", "args"),
    [
        (
            lambda a: a.redirect.send_user_to("https://x.example/p?a=1"),
            "redirect.send_user_to",
            {"url": "https://x.example/p?a=1"},
        ),
        (
            lambda a: a.redirect.sendUserTo(
                "https://x.example", {"query": {"t": "\u00e9 &", "n": 5, "f": 1.5, "i": 2.0, "b": True}}
            ),
            "redirect.send_user_to",
            {"url": "https://x.example", "query": {"t": "\u00e9 &", "n": "5", "f": "1.5", "i": "2", "b": "true"}},
        ),
        (
            lambda a: a.redirect.send_user_to("http://localhost:8080/#x", query={}),
            "redirect.send_user_to",
            {"url": "http://localhost:8080/#x", "query": {}},
        ),
        (lambda a: a.prompt.render("ap_1"), "prompt.render", {"prompt_id": "ap_1"}),
        (
            lambda a: a.prompt.render("ap_1", {"fields": {"a": [1]}, "vars": {"b": None}}),
            "prompt.render",
            {"prompt_id": "ap_1", "fields": {"a": [1]}, "vars": {"b": None}},
        ),
        (lambda a: a.prompt.render("ap_1", fields=None, vars={}), "prompt.render", {"prompt_id": "ap_1", "vars": {}}),
    ],
)
def test_a_page_or_a_form_is_recorded(call: Any, op: str, args: dict[str, Any]) -> None:
    """Both spellings come out the same, parameters of a query as text, and the daemon believes them."""
    api, recorder = begin()
    assert call(api) is api
    assert recorder.commands == [(op, args)]
    assert surface.parse_all(recorder.encoded()) == [args]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: a.redirect.send_user_to("/page"), "url must be an absolute http or https URL of at most 8192"),
        (lambda a: a.redirect.send_user_to("https://x.example/a b"), "percent-encode what is not ASCII"),
        (lambda a: a.redirect.send_user_to("https://x.example/" + "x" * 8192), "of at most 8192 characters; got"),
        (lambda a: a.redirect.send_user_to(5), "url must be an absolute http or https URL"),
        (lambda a: a.redirect.send_user_to("https://x.example", query="a=b"), "query must be a dict of at most 50"),
        (lambda a: a.redirect.send_user_to("https://x.example", query={"a": None}), "query['a'] must be text"),
        (lambda a: a.redirect.send_user_to("https://x.example", query={"a": ["b"]}), "query['a'] must be text"),
        (lambda a: a.redirect.send_user_to("https://x.example", query={"": "b"}), "the name of a parameter must be"),
        (lambda a: a.redirect.send_user_to("https://x.example", query={"a": "x" * 8190}), "at most 8192 bytes as JSON"),
        (
            lambda a: a.redirect.send_user_to("https://x.example", query={str(n): 1 for n in range(51)}),
            "got a dict of 51",
        ),
        (lambda a: a.redirect.send_user_to("https://x.example", {"querry": {}}), "did you mean 'query'?"),
        (lambda a: a.redirect.send_user_to(), "url is missing; write api.redirect.send_user_to(url, *, query=...)"),
        (lambda a: a.prompt.render(""), "prompt_id must be text of 1 to 256 characters"),
        (
            lambda a: a.prompt.render("p", fields=[1]),
            "fields must be a dict of JSON data, at most 16384 bytes; got a list",
        ),
        (lambda a: a.prompt.render("p", vars={"a": "x" * 16384}), "vars must be at most 16384 bytes as JSON"),
        (lambda a: a.prompt.render("p", vars={"a": object()}), "vars must be JSON data"),
    ],
)
def test_a_wrong_page_raises(call: Any, text: str) -> None:
    """A URL that is relative, a query that is no text and data that is too large are errors at the call."""
    api, recorder = begin()
    with pytest.raises((TypeError, ValueError)) as caught:
        call(api)
    assert text in str(caught.value)
    assert recorder.commands == []


@pytest.mark.parametrize(
    "call", [lambda a: a.redirect.send_user_to("https://x.example"), lambda a: a.prompt.render("p")]
)
def test_the_action_must_be_able_to_continue(call: Any) -> None:
    """Without on_continue_post_login the user would come back to nothing: the call raises and says what to write."""
    api, recorder = begin(continues=False)
    with pytest.raises(ValueError, match=r"define on_continue_post_login\(event, api\)"):
        call(api)
    assert recorder.commands == []


PAGE = ("redirect.send_user_to", {"url": "https://x.example"})
FORM = ("prompt.render", {"prompt_id": "p"})
CHALLENGE = ("authentication.challenge_with", {"factor": OTP})
ENROLMENT = ("authentication.enroll_with_any", {"factors": [OTP]})


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (PAGE, PAGE, "called api.redirect.send_user_to before, and the user can be at one place only"),
        (PAGE, FORM, "called api.redirect.send_user_to before"),
        (FORM, PAGE, "called api.prompt.render before"),
        (FORM, FORM, "called api.prompt.render before"),
        (PAGE, CHALLENGE, "called api.redirect.send_user_to before"),
        (CHALLENGE, PAGE, "called api.authentication.challenge_with before; show the page in an action after this one"),
        (ENROLMENT, FORM, "called api.authentication.enroll_with_any before"),
    ],
)
def test_a_page_stands_alone(first: Any, second: Any, text: str) -> None:
    """Two pages, or a page beside a factor, raise at the call and are a lie of a worker that reports them."""
    api, recorder = begin()
    calls = [getattr(getattr(api, op.split(".")[0]), op.split(".")[1]) for op, _ in (first, second)]
    calls[0](**first[1])
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        calls[1](**second[1])
    assert text in str(caught.value)
    assert recorder.commands == [first]
    with pytest.raises(surface.CommandError, match="this execution called"):
        list(surface.validate_each([first, second]))


def test_control_factors_stand_together() -> None:
    """Several challenges and enrolments of one execution are done one after the other."""
    assert len(list(surface.validate_each([CHALLENGE, ENROLMENT, CHALLENGE]))) == 3


def test_a_token_says_whose_login_it_is() -> None:
    """Issuer, user, address and times come from the event and the clock; the payload's members go before them."""
    api, recorder = begin()
    token = api.redirect.encode_token(secret=SECRET, payload={"email": "a@b", "list": [1, "\u00e9"]})
    assert tokens.verify(token, SECRET) == {
        "iat": NOW_S,
        "iss": HOST,
        "sub": USER,
        "exp": NOW_S + 900,
        "ip": "192.0.2.1",
        "email": "a@b",
        "list": [1, "\u00e9"],
    }
    mine = api.redirect.encodeToken({"secret": SECRET, "payload": {"sub": "me", "exp": 5}, "expiresInSeconds": 10})
    assert tokens.verify(mine, SECRET) == {"iat": NOW_S, "iss": HOST, "sub": "me", "exp": 5, "ip": "192.0.2.1"}
    header, _, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert "=" not in token
    assert recorder.commands == []


def test_a_token_of_another_library_is_read_and_ours_is_the_same() -> None:
    """The well-known example of a JWT: header, claims, secret and the text that every library makes of them."""
    known = (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
        ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    )
    claims = {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}
    assert tokens.sign(claims, "your-256-bit-secret") == known
    assert tokens.verify(known, "your-256-bit-secret") == claims


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: r.encode_token(payload={}), "secret is missing; write api.redirect.encode_token(*, secret, payload"),
        (lambda r: r.encode_token(secret="", payload={}), "secret must be text of 1 to 4096 characters"),
        (lambda r: r.encode_token(secret=None, payload={}), "secret must be text"),
        (
            lambda r: r.encode_token(secret=SECRET, payload=[]),
            "payload must be a dict of JSON data, at most 4096 bytes",
        ),
        (lambda r: r.encode_token(secret=SECRET, payload={"a": "x" * 4096}), "payload must be at most 4096 bytes"),
        (lambda r: r.encode_token(secret=SECRET, payload={}, expires_in_seconds=0), "a whole number from 1 to 86400"),
        (lambda r: r.encode_token(secret=SECRET, payload={}, expires_in_seconds=1.5), "a whole number from 1 to 86400"),
        (lambda r: r.encodeToken({"secret": SECRET, "payload": {}, "expiresInSecond": 1}), "did you mean"),
        (lambda r: r.encode_token(SECRET, {}), "takes 0 positional arguments; got 2"),
    ],
)
def test_what_cannot_be_signed_raises(call: Any, text: str) -> None:
    """A missing or empty secret, a payload that is none and a lifetime out of bounds are errors at the call."""
    api, _ = begin()
    with pytest.raises((TypeError, ValueError)) as caught:
        call(api.redirect)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            event_json.from_json({"user": {"userId": USER}}),
            "has no event.request.hostname",
        ),
        (event(user={}), "has no event.user.user_id"),
    ],
)
def test_a_token_belongs_to_a_login(message: event_pb2.PostLoginEvent, text: str) -> None:
    """Without a host or a user, and none in the payload, no token is signed; and never is one believed."""
    api, _ = begin(message, continuing=True)
    with pytest.raises(ValueError, match=text):
        api.redirect.encode_token(secret=SECRET, payload={})
    with pytest.raises(ValueError, match=text):
        api.redirect.validate_token(secret=SECRET)
    named = api.redirect.encode_token(secret=SECRET, payload={"iss": "mine", "sub": "yours"})
    assert (tokens.verify(named, SECRET)["iss"], tokens.verify(named, SECRET)["sub"]) == ("mine", "yours")


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"state": STATE, "session_token": jwt(CLAIMS)}, {}),
        ({"state": STATE}, {"session_token": jwt(CLAIMS)}),
        ({"state": "other", "session_token": "other"}, {"state": STATE, "session_token": jwt(CLAIMS)}),
    ],
)
def test_a_good_token_is_believed(query: dict[str, Any], body: dict[str, Any]) -> None:
    """From the query or the body, where the body goes before the query; the event stays as it was."""
    message = event(query, body)
    untouched = message.SerializeToString(deterministic=True)
    api, recorder = begin(message, continuing=True)
    assert api.redirect.validate_token(secret=SECRET) == CLAIMS
    assert api.redirect.validateToken({"secret": SECRET}) == CLAIMS
    assert message.SerializeToString(deterministic=True) == untouched
    assert recorder.commands == []


def test_the_parameter_may_have_another_name() -> None:
    """`token_parameter_name` says where the token is."""
    api, _ = begin(event({"state": STATE, "t": jwt(CLAIMS)}), continuing=True)
    assert api.redirect.validate_token(secret=SECRET, token_parameter_name="t") == CLAIMS
    assert api.redirect.validateToken({"secret": SECRET, "tokenParameterName": "t"}) == CLAIMS
    with pytest.raises(ValueError, match="has no parameter 'session_token', neither in its body nor in its query"):
        api.redirect.validate_token(secret=SECRET)


GOOD = jwt(CLAIMS)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("", "'session_token' of the request must be text, and not empty"),
        (5, "'session_token' of the request must be text, and not empty"),
        ("x", "three parts of base64url"),
        (GOOD + ".x", "three parts of base64url"),
        (GOOD + "\n", "three parts of base64url"),
        (GOOD.replace(".", ".=", 1), "three parts of base64url"),
        ("." + GOOD.partition(".")[2], "three parts of base64url"),
        ("x" * 20_000, "at most 16384 characters; it has 20000"),
        ("AAAA." + GOOD.partition(".")[2], "the token's header must be a JSON object"),
        (jwt(CLAIMS, header=[1]), "the token's header must be a JSON object"),
        (jwt(CLAIMS, header=b'{"alg":"none","alg":"HS256"}'), "the token's header must be a JSON object"),
        (jwt(CLAIMS, header={"alg": "none"}), "algorithm must be HS256; it is 'none'"),
        (jwt(CLAIMS, header={"alg": "none"}, signature=b"x"), "algorithm must be HS256; it is 'none'"),
        (jwt(CLAIMS, header={"alg": "hs256"}), "algorithm must be HS256; it is 'hs256'"),
        (jwt(CLAIMS, header={"alg": "HS512"}), "algorithm must be HS256; it is 'HS512'"),
        (jwt(CLAIMS, header={"alg": ["HS256"]}), "algorithm must be HS256; it is a list of 1"),
        (jwt(CLAIMS, header={"typ": "JWT"}), "algorithm must be HS256; it is None"),
        (jwt(CLAIMS, header={"alg": "HS256", "crit": ["exp"]}), "extensions that must be understood"),
        (jwt(CLAIMS, "another secret"), "signature was not made with this secret"),
        (jwt(CLAIMS, ""), "signature was not made with this secret"),
        (jwt(CLAIMS, signature=b"\0" * 32), "signature was not made with this secret"),
        (jwt(CLAIMS, signature=b""), "signature was not made with this secret"),
        (jwt(CLAIMS, header={"alg": "none"}, signature=b""), "algorithm must be HS256; it is 'none'"),
        (GOOD.replace(GOOD.split(".")[1], jwt({**CLAIMS, "sub": "x"}).split(".")[1]), "signature was not made"),
        (jwt([1]), "the token's payload must be a JSON object"),
        (jwt(b"x"), "the token's payload must be a JSON object"),
        (jwt(b'{"exp":NaN}'), "the token's payload must be a JSON object"),
        (jwt(b"\xff"), "the token's payload must be a JSON object"),
        (jwt(b"[" * 9_000), "the token's payload must be a JSON object"),
        (jwt({**CLAIMS, "exp": NOW_S}), "expired 0 s ago"),
        (jwt({**CLAIMS, "exp": NOW_S - 60}), "expired 60 s ago"),
        (jwt({**CLAIMS, "exp": None}), "exp must be a number of seconds since the epoch; it is None"),
        (jwt({**CLAIMS, "exp": str(NOW_S + 60)}), "exp must be a number of seconds"),
        (jwt({**CLAIMS, "exp": True}), "exp must be a number of seconds"),
        (jwt({**CLAIMS, "exp": 10**400}), "exp must be a number of seconds"),
        (jwt(json.dumps(CLAIMS).replace(str(NOW_S + 60), "1e999").encode()), "exp must be a number of seconds"),
        (jwt({**CLAIMS, "nbf": NOW_S + 10}), "is not valid for another 10 s"),
        (jwt({**CLAIMS, "nbf": "x"}), "nbf must be a number of seconds"),
        (jwt({**CLAIMS, "iss": "evil.example"}), "iss must be 'login.example.com'; it is 'evil.example'"),
        (jwt({k: v for k, v in CLAIMS.items() if k != "iss"}), "iss must be 'login.example.com'; it is None"),
        (jwt({**CLAIMS, "sub": "auth0|2"}), "sub must be 'auth0|1'; it is 'auth0|2'"),
        (jwt({**CLAIMS, "state": "st-2"}), "the token's state is not that of the request"),
        (jwt({**CLAIMS, "state": [STATE]}), "the token's state is not that of the request"),
    ],
)
def test_a_wrong_token_is_not_believed_and_says_why(token: Any, text: str) -> None:
    """Each failure has a message of its own, and none of them grants anything."""
    api, _ = begin(event({"state": STATE, "session_token": token}), continuing=True)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        api.redirect.validate_token(secret=SECRET)
    assert text in str(caught.value)
    assert str(caught.value).startswith("api.redirect.validate_token: ")
    assert STATE not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_no_character_of_a_token_can_be_another() -> None:
    """Whichever one is replaced, left out or doubled, the token is not believed, even where base64 has spare bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    damaged = {
        GOOD[:at] + other + GOOD[at + 1 :]
        for at in range(len(GOOD))
        for other in ("", GOOD[at] * 2, alphabet[alphabet.index(GOOD[at]) - 1], alphabet[alphabet.index(GOOD[at]) - 2])
    } - {GOOD}
    damaged |= {GOOD[:-1] + other for other in alphabet} - {GOOD}
    for token in damaged:
        with pytest.raises(tokens.TokenError):
            tokens.verify(token, SECRET)
    assert tokens.verify(GOOD, SECRET) == CLAIMS


@given(st.one_of(st.text(max_size=200), st.lists(st.text("ey.AQ-_=", max_size=30), max_size=5).map(".".join)))
def test_any_text_is_refused_in_words(token: str) -> None:
    """Whatever comes back in place of a token, the answer is a message and never another exception."""
    with pytest.raises(tokens.TokenError):
        tokens.verify(token, SECRET)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ).flatmap(lambda value: st.sampled_from(["exp", "nbf", "iss", "sub", "state", "x"]).map(lambda name: {name: value}))
)
def test_any_signed_claim_is_compared_and_never_trusted(changed: dict[str, Any]) -> None:
    """A holder of the secret may sign anything: a claim of another type or value is refused, an own one is returned."""
    ((name, value),) = changed.items()
    later = type(value) in (int, float) and NOW_S + 0.5 < value < 2**53
    sooner = type(value) in (int, float) and -(2**53) < value <= NOW_S + 0.5
    try:
        strict = bool(json.dumps(changed, allow_nan=False))
    except ValueError:
        strict = False
    right = {"exp": later, "nbf": sooner, "x": True}.get(name, value == CLAIMS.get(name))
    api, _ = begin(event({"state": STATE, "session_token": jwt({**CLAIMS, **changed})}), continuing=True)
    if right and strict:
        assert api.redirect.validate_token(secret=SECRET) == {**CLAIMS, **changed}
    else:
        with pytest.raises(ValueError, match=r"^api\.redirect\.validate_token: the token"):
            api.redirect.validate_token(secret=SECRET)


def test_the_state_must_be_there() -> None:
    """A token of a request without state belongs to no transaction."""
    api, _ = begin(event({"session_token": GOOD}), continuing=True)
    with pytest.raises(ValueError, match="has no parameter 'state'"):
        api.redirect.validate_token(secret=SECRET)


def test_a_token_is_validated_when_the_user_is_back() -> None:
    """In on_execute_post_login no user has come back with one."""
    api, _ = begin(event({"state": STATE, "session_token": GOOD}))
    with pytest.raises(ValueError, match=r"validate_token: only in on_continue_post_login"):
        api.redirect.validate_token(secret=SECRET)


BOTH = """
def on_execute_post_login(event, api):
    token = api.redirect.encode_token(secret=event.secrets["KEY"], payload={"state": "st-1"})
    api.redirect.send_user_to("https://x.example", query={"session_token": token})

def on_continue_post_login(event, api):
    claims = api.redirect.validate_token(secret=event.secrets["KEY"])
    api.authentication.record_method("https://x.example/method")
    api.id_token.set_custom_claim("https://x.example/ip", claims["ip"])
"""


def run(handler: str, message: event_pb2.PostLoginEvent) -> tuple[list[tuple[str, Any]], execution.Ending]:
    install()
    code = compiler.compile_action(BOTH, ACTION_FILENAME)
    report, end, _ = execution.execute(
        code, handler, message, {"KEY": SECRET}, NOW_S * 10**9, bytes(16), time.monotonic_ns(), 10**10, 64, FlowState()
    )
    disarm()
    step = worker_pb2.StepReport.FromString(report)
    assert (step.error_type, step.error_message) == ("", "")
    return [(command.op, json.loads(command.args_json)) for command in step.commands], end


def test_there_and_back_again() -> None:
    """An action sends a token along and believes it when it comes back, in the function for that."""
    commands, end = run(ENTRY, event())
    assert end is execution.Ending.SUSPENDED
    assert [op for op, _ in commands] == ["redirect.send_user_to"]
    back = event({"state": STATE}, {"session_token": commands[0][1]["query"]["session_token"]})
    commands, end = run(CONTINUE, back)
    assert end is execution.Ending.COMPLETED
    assert commands == [
        ("authentication.record_method", {"provider_url": "https://x.example/method"}),
        ("id_token.set_custom_claim", {"name": "https://x.example/ip", "value": "192.0.2.1"}),
    ]


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("redirect.send_user_to", {"url": "javascript:alert(1)"}),
        ("redirect.send_user_to", {"url": "https://x.example\r\nx: y"}),
        ("redirect.send_user_to", {"url": "https://x.example", "query": {"a": None}}),
        ("redirect.send_user_to", {"url": "https://x.example", "query": {"a": "x" * 9000}}),
        ("prompt.render", {"prompt_id": "p", "fields": []}),
        ("prompt.render", {"prompt_id": 5}),
        ("redirect.encode_token", {"secret": SECRET, "payload": {}}),
        ("redirect.validate_token", {"secret": SECRET}),
    ],
)
def test_the_daemon_believes_no_wrong_page(op: str, args: dict[str, Any]) -> None:
    """What no author could have recorded is a lie of the worker, and a query is no command."""
    with pytest.raises(surface.CommandError):
        list(surface.validate_each([(op, args)], continuing=True))
