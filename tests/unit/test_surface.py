"""The table, the author's side of it (`bind`) and the daemon's (`validate`)."""

import json
import math
import time
from typing import Any

import pytest

from sandbox.contract import surface, values
from sandbox.contract.call import Call, bind
from sandbox.contract.surface import CALLS, SURFACE, CommandError, parse_all, validate, validate_each
from sandbox.contract.values import json_bytes
from sandbox.contract.vocabulary import PROVIDERS

ENABLE = CALLS["multifactor.enable"]
DENY = CALLS["access.deny"]
ERROR = CALLS["validation.error"]
CLAIM = CALLS["id_token.set_custom_claim"]
METADATA = CALLS["user.set_user_metadata"]


def give(call: Call, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return bind(call, args, kwargs)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


def test_the_table_holds_the_calls_of_this_release() -> None:
    """Every operation has one entry; the refusals end the flow, what needs the user suspends it."""
    assert sorted(op for op in CALLS if not op.startswith("saml_response.")) == [
        "access.deny",
        "access_token.add_scope",
        "access_token.remove_scope",
        "access_token.set_custom_claim",
        "authentication.challenge_with",
        "authentication.challenge_with_any",
        "authentication.enroll_with",
        "authentication.enroll_with_any",
        "authentication.record_method",
        "authentication.set_primary_user",
        "cache.delete",
        "cache.get",
        "cache.set",
        "groups.get_user_groups",
        "groups.has_group_membership",
        "id_token.set_custom_claim",
        "multifactor.enable",
        "prompt.render",
        "redirect.can_redirect",
        "redirect.encode_token",
        "redirect.send_user_to",
        "redirect.validate_token",
        "refresh_token.delete_metadata",
        "refresh_token.evict_metadata",
        "refresh_token.revoke",
        "refresh_token.set_expires_at",
        "refresh_token.set_idle_expires_at",
        "refresh_token.set_metadata",
        "roles.get_user_effective_roles",
        "roles.get_user_effective_roles_by_ids",
        "roles.get_user_effective_roles_by_names",
        "rules.was_executed",
        "session.delete_metadata",
        "session.evict_metadata",
        "session.revoke",
        "session.set_cookie_mode",
        "session.set_expires_at",
        "session.set_idle_expires_at",
        "session.set_metadata",
        "transaction.set_metadata",
        "user.set_app_metadata",
        "user.set_user_metadata",
        "validation.error",
    ]
    assert {call.op for call in SURFACE if call.ends == "deny"} == {
        "access.deny",
        "refresh_token.revoke",
        "session.revoke",
        "validation.error",
    }
    assert {call.op for call in SURFACE if call.ends == "suspend"} == {
        "authentication.challenge_with",
        "authentication.challenge_with_any",
        "authentication.enroll_with",
        "authentication.enroll_with_any",
        "prompt.render",
        "redirect.send_user_to",
    }
    assert len(CALLS) == len(SURFACE)


@pytest.mark.parametrize(
    ("args", "kwargs", "bound"),
    [
        (("any",), {}, {"provider": "any"}),
        ((), {"provider": "duo"}, {"provider": "duo"}),
        (("any",), {"allow_remember_browser": False}, {"provider": "any", "allow_remember_browser": False}),
        (("any",), {"allowRememberBrowser": True}, {"provider": "any", "allow_remember_browser": True}),
        (("any", {"allowRememberBrowser": True}), {}, {"provider": "any", "allow_remember_browser": True}),
        (("any", {"allow_remember_browser": True}), {}, {"provider": "any", "allow_remember_browser": True}),
        (("any", {}), {}, {"provider": "any"}),
        (("any",), {"allow_remember_browser": None, "provider_options": None}, {"provider": "any"}),
        (
            ("duo", {"providerOptions": {"host": "h", "ikey": "i", "skey": "s"}, "allowRememberBrowser": False}),
            {},
            {
                "provider": "duo",
                "provider_options": {"host": "h", "ikey": "i", "skey": "s"},
                "allow_remember_browser": False,
            },
        ),
        (
            ("duo",),
            {"provider_options": {"ikey": "i", "username": None}},
            {"provider": "duo", "provider_options": {"ikey": "i"}},
        ),
    ],
)
def test_enable_accepts(args: tuple[Any, ...], kwargs: dict[str, Any], bound: dict[str, Any]) -> None:
    """Python's and Auth0's way to call are bound to the same names; what was left out is absent."""
    assert bind(ENABLE, args, kwargs) == bound


@pytest.mark.parametrize(
    ("args", "kwargs", "kind", "message"),
    [
        (
            ("sms",),
            {},
            ValueError,
            "api.multifactor.enable: provider must be one of any, guardian, google-authenticator, duo, none; got 'sms'",
        ),
        ((None,), {}, TypeError, "got None"),
        ((5,), {}, TypeError, "got 5"),
        ((["any"],), {}, TypeError, "got a list of 1"),
        ((), {}, TypeError, "provider is missing; write api.multifactor.enable(provider, *, allow_remember_browser="),
        (("any", True), {}, TypeError, "takes 1 positional argument; got 2"),
        (("any", {}, {}), {}, TypeError, "takes 1 positional argument; got 3"),
        (("any",), {"provider": "duo"}, TypeError, "provider is given twice"),
        (("any",), {"allow_remember_browsers": True}, TypeError, "did you mean 'allow_remember_browser'?"),
        (("any", {"alowRememberBrowser": True}), {}, TypeError, "did you mean 'allowRememberBrowser'?"),
        (("any", {"provider": "duo"}), {}, TypeError, "no argument 'provider'"),
        (("any", {1: True}), {}, TypeError, "no argument 1"),
        (
            ("any",),
            {"allow_remember_browser": True, "allowRememberBrowser": True},
            TypeError,
            "allow_remember_browser is given twice",
        ),
        (("any",), {"allow_remember_browser": "false"}, TypeError, "must be True or False; got 'false'"),
        (("any",), {"allow_remember_browser": 1}, TypeError, "must be True or False; got 1"),
        (
            ("any",),
            {"provider_options": {"host": "h"}},
            ValueError,
            "is for provider 'duo' only; the provider is 'any'",
        ),
        (("duo",), {"provider_options": "host"}, TypeError, "provider_options must be a dict"),
        (("duo",), {"provider_options": {"hots": "h"}}, ValueError, "did you mean 'host'?"),
        (("duo",), {"provider_options": {"skey": None}}, TypeError, "provider_options['skey'] must be text"),
        (("duo",), {"provider_options": {"skey": ""}}, ValueError, "provider_options['skey'] must be text"),
        (("duo",), {"provider_options": {2: "h"}}, TypeError, "a member's name is 2"),
        (("duo",), {"provider_options": dict.fromkeys("abcdefgh")}, ValueError, "got 8 members"),
    ],
)
def test_enable_refuses(args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[Exception], message: str) -> None:
    """A wrong argument is named, with what was given and what is wanted."""
    with pytest.raises(kind) as caught:
        bind(ENABLE, args, kwargs)
    assert message in str(caught.value)
    assert str(caught.value).startswith("api.multifactor.enable")


def test_deny_takes_a_reason_and_records_a_second_argument() -> None:
    """The sample with two strings works; a reason has at most 2048 characters."""
    assert give(DENY, "no") == {"reason": "no"}
    assert give(DENY, "code", "message") == {"reason": "code", "detail": "message"}
    assert give(DENY, "x" * 2048) == {"reason": "x" * 2048}
    with pytest.raises(ValueError, match=r"reason must be text of at most 2048 characters; got 'xxx.*2049 characters"):
        give(DENY, "x" * 2049)
    with pytest.raises(TypeError, match="reason must be text"):
        give(DENY, None)
    with pytest.raises(TypeError, match="reason is missing"):
        give(DENY)


def test_a_validation_error_needs_both_arguments() -> None:
    """A code and a message, neither empty, in both spellings."""
    assert give(ERROR, "c", "m") == {"error_code": "c", "error_message": "m"}
    assert give(ERROR, errorCode="c", errorMessage="m") == {"error_code": "c", "error_message": "m"}
    for args in (("c",), ("", "m"), ("c", "")):
        with pytest.raises((TypeError, ValueError)):
            give(ERROR, *args)


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**53), 2**53, 1.5, "", "é", "😀", [], {}, {"a": [1, {"b": None}]}, nested(8), [0] * 1000],
)
def test_claims_take_json_data(value: Any) -> None:
    """Any JSON value within the limits is recorded as it is."""
    assert give(CLAIM, "https://example.com/x", value)["value"] == value
    assert validate(CLAIM.op, {"name": "n", "value": value})["value"] == value


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (math.nan, ValueError, "finite"),
        (math.inf, ValueError, "finite"),
        (-math.inf, ValueError, "finite"),
        (2**53 + 1, ValueError, "2\\*\\*53"),
        ([10**5000], ValueError, "2\\*\\*53"),
        ("\ud800", ValueError, "surrogate"),
        ("a\0", ValueError, "NUL"),
        ({"\udfff": 1}, ValueError, "surrogate"),
        ({1: 1}, TypeError, "text for the keys"),
        ({("a",): 1}, TypeError, "text for the keys"),
        ({"k" * 257: 1}, ValueError, "at most 256 characters"),
        (b"x", TypeError, "got an object of type bytes"),
        ({1, 2}, TypeError, "got an object of type set"),
        (object(), TypeError, "got an object of type object"),
        (range(3), TypeError, "got an object of type range"),
        (nested(9), ValueError, "nested at most 8"),
        (CYCLE, ValueError, "nested at most 8|1000 items"),
        ([CYCLE] * 999, ValueError, "nested at most 8|1000 items"),
        ([0] * 10**6, ValueError, "at most 1000 items"),
        ("x" * 10**7, ValueError, "at most 102400 bytes"),
        (["x" * 60_000, "x" * 60_000], ValueError, "at most 102400 bytes"),
        ("é" * 60_000, ValueError, "at most 102400 bytes as JSON; got"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else ascii(value[:20]),
)
def test_claims_refuse_what_is_not_json_data(value: Any, kind: type[Exception], message: str) -> None:
    """Cycles, depth, size, NaN, huge integers and lone surrogates end in a clear error, soon."""
    before = time.process_time()
    with pytest.raises(kind, match=message):
        bind(CLAIM, ("https://example.com/x", value), {})
    assert time.process_time() - before < 0.5


def test_subclasses_of_plain_types_are_refused_without_running_their_code() -> None:
    """No method of a foreign object is called, not even to say what is wrong with it."""

    class Trap(str):
        __slots__ = ()

        def _boom(self, *_args: Any) -> Any:
            raise AssertionError("tenant code ran")

        __eq__ = __repr__ = __str__ = __len__ = __iter__ = __format__ = __getattribute__ = _boom
        __hash__ = str.__hash__

    class TrapDict(dict):  # type: ignore[type-arg]  # of anything
        def items(self) -> Any:
            raise AssertionError("tenant code ran")

    for call, args in (
        (ENABLE, (Trap("any"),)),
        (ENABLE, ("any", TrapDict())),
        (DENY, (Trap("x"),)),
        (CLAIM, (Trap("x"), 1)),
        (CLAIM, ("x", Trap("x"))),
        (CLAIM, ("x", [TrapDict()])),
        (CLAIM, ("x", {Trap("a"): 1})),
        (METADATA, ("x", Trap("x"))),
    ):
        with pytest.raises(TypeError):
            bind(call, args, {})


def test_bound_values_are_a_snapshot() -> None:
    """What the author changes after the call does not change what was recorded; a tuple becomes a list."""
    value = {"roles": ["a"], "pair": (1, 2)}
    bound = give(CLAIM, "n", value)["value"]
    value["roles"].append("b")  # type: ignore[attr-defined]  # it is a list
    value["more"] = 1  # type: ignore[assignment]  # it is a dict of anything
    assert bound == {"roles": ["a"], "pair": [1, 2]}


@pytest.mark.parametrize("name", ["sub", "roles", "internalService", "x5t#S256", "exp"])
def test_restricted_claims_raise(name: str) -> None:
    """A claim of the token's own cannot be set."""
    with pytest.raises(ValueError, match="restricted claim"):
        give(CLAIM, name, 1)
    with pytest.raises(CommandError, match="restricted claim"):
        validate(CLAIM.op, {"name": name, "value": 1})


@pytest.mark.parametrize(
    "name",
    [
        "https://auth0.com/x",
        "http://t.eu.auth0.com/x",
        "HTTPS://Auth0.COM/x",
        "https://webtask.io",
        "https://a.webtask.run?x",
        "https://user@auth0.com:443/x",
        "https://auth0.com./x",
        "urn:auth0",
        "urn:auth0:x",
    ],
)
def test_reserved_namespaces_raise(name: str) -> None:
    """The provider's own namespaces are closed, however they are spelt."""
    with pytest.raises(ValueError, match="reserved namespace"):
        give(CLAIM, name, 1)


@pytest.mark.parametrize("name", ["plan", "https://example.com/auth0.com", "https://notauth0.com/x", "urn:auth0x:y"])
def test_other_claim_names_are_free(name: str) -> None:
    """A name that merely looks like a reserved one is accepted, with `key` as another word for it."""
    assert give(CLAIM, name, 1) == {"name": name, "value": 1}
    assert give(CLAIM, key=name, value=1) == {"name": name, "value": 1}


def test_none_deletes_metadata_and_is_recorded() -> None:
    """None is a value for a required argument."""
    assert give(METADATA, "k", None) == {"key": "k", "value": None}
    with pytest.raises(TypeError, match="value is missing"):
        give(METADATA, "k")


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("nope", {}),
        (["multifactor.enable"], {}),
        ("multifactor.enable", []),
        ("multifactor.enable", {}),
        ("multifactor.enable", {"provider": "sms"}),
        ("multifactor.enable", {"provider": None}),
        ("multifactor.enable", {"provider": "any", "allowRememberBrowser": True}),
        ("multifactor.enable", {"provider": "any", "allow_remember_browser": None}),
        ("multifactor.enable", {"provider": "any", "allow_remember_browser": 1}),
        ("multifactor.enable", {"provider": "any", "provider_options": {}}),
        ("multifactor.enable", {"provider": "duo", "provider_options": {"x": "y"}}),
        ("access.deny", {"reason": 1}),
        ("access.deny", {"reason": "x" * 2049}),
        ("id_token.set_custom_claim", {"name": "n"}),
        ("id_token.set_custom_claim", {"name": "n", "value": 1, "more": 2}),
        ("user.set_app_metadata", {"key": "", "value": 1}),
    ],
)
def test_the_daemon_refuses_what_no_author_could_have_caused(op: Any, args: Any) -> None:
    """Validation is as strict as recording, and knows no aliases."""
    with pytest.raises(CommandError):
        validate(op, args)


def test_validated_arguments_are_copies() -> None:
    """What validate returns shares nothing with what it was given."""
    args = {"provider": "duo", "provider_options": {"host": "h"}}
    checked = validate("multifactor.enable", args)
    assert checked == args
    assert checked["provider_options"] is not args["provider_options"]


def test_an_execution_has_at_most_a_hundred_commands() -> None:
    """The daemon counts again."""
    one = ("access.deny", {"reason": "x"})
    assert len(list(validate_each([one] * 100))) == 100
    with pytest.raises(CommandError, match="more than 100 commands"):
        list(validate_each([one] * 101))


@pytest.mark.parametrize(
    ("ops", "size", "fits"),
    [
        (("id_token.set_custom_claim", "access_token.set_custom_claim"), 51_000, True),
        (("id_token.set_custom_claim", "access_token.set_custom_claim"), 52_000, False),
        (("user.set_user_metadata", "user.set_user_metadata"), 16_000, True),
        (("user.set_user_metadata", "user.set_user_metadata"), 17_000, False),
        (("user.set_user_metadata", "user.set_app_metadata"), 32_000, True),
    ],
)
def test_claims_and_each_metadata_have_a_total(ops: tuple[str, str], size: int, fits: bool) -> None:
    """Claims of both tokens share 100 KB; user and app metadata have 32 kB each."""
    commands = [(op, {("name" if "claim" in op else "key"): "k", "value": "x" * size}) for op in ops]
    if fits:
        assert len(list(validate_each(commands))) == 2
    else:
        with pytest.raises(CommandError, match="of one login must be at most"):
            list(validate_each(commands))


@pytest.mark.parametrize("op", ["id_token.set_custom_claim", "user.set_user_metadata", "user.set_app_metadata"])
def test_values_of_many_items_cannot_hold_up_the_daemon(op: str) -> None:
    """Every list of a thousand is within its own limit; dozens of them took a tenth of a second to read."""
    commands = [(op, {("name" if "claim" in op else "key"): f"k{at}", "value": [{"a": 1}] * 500}) for at in range(80)]
    assert len(list(validate_each(commands[:1]))) == 1
    with pytest.raises(CommandError, match=r"at most 1000 items of lists and dicts, .* this makes 2000: set fewer"):
        list(validate_each(commands))


def test_items_are_one_budget_of_every_call() -> None:
    """Claims, both sorts of metadata and what any other call holds are added up; texts and numbers are free."""
    value = [0] * 400
    commands: list[tuple[str, dict[str, Any]]] = [
        ("access.deny", {"reason": "x"}),
        ("id_token.set_custom_claim", {"name": "n", "value": value}),
        ("user.set_user_metadata", {"key": "k", "value": value}),
        ("saml_response.set_attribute", {"attribute": "a", "value": ["x"] * 100}),
        (
            "prompt.render",
            {"prompt_id": "p", "fields": {f"k{n}": n for n in range(50)}, "vars": {f"k{n}": n for n in range(50)}},
        ),
    ]
    assert len(list(validate_each(commands))) == 5
    with pytest.raises(CommandError, match="this makes 1001"):
        list(validate_each([*commands, ("user.set_app_metadata", {"key": "k", "value": [0]})]))


@pytest.mark.parametrize(
    "value",
    [
        "[" + "0," * 30_000 + "0]",
        "[" + "{}," * 20_000 + "{}]",
        "[" + "[]," * 20_000 + "[]]",
        "[" + '"",' * 20_000 + '""]',
        "{" + ",".join([f'"{n}":0' for n in range(9_000)]) + "}",
        "[" * 50_000,
        '{"a":' * 15_000,
        '"' + "x" * 200_000 + '"',
    ],
    ids=["numbers", "dicts", "lists", "texts", "members", "nested lists", "nested dicts", "text"],
)
def test_arguments_are_counted_before_they_are_decoded(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of a hundred kilobytes can hold fifty thousand items, which take fifty times as long to read."""
    decoded: list[str] = []

    def decode(text: str) -> Any:
        decoded.append(text)
        return values.decode(text)

    monkeypatch.setattr(surface, "decode_args", decode)
    with pytest.raises(CommandError, match=r"hold more than 1000 items|characters of arguments"):
        parse_all([("id_token.set_custom_claim", f'{{"name":"n","value":{value}}}')])
    assert decoded == []
    # Control: as many commas in a text, and as many items as are allowed, are decoded.
    many = json.dumps(["," * 2000, *range(990)], separators=(",", ":"))
    (args,) = parse_all([("id_token.set_custom_claim", f'{{"name":"n","value":{many}}}')])
    assert len(args["value"]) == 991
    assert len(decoded) == 1


@pytest.mark.parametrize("number", ["9" * 33, "0." + "1" * 4000, "1e" + "0" * 40 + "1", "-" + "1" * 4000 + ".5"])
def test_a_number_of_many_digits_is_not_read(number: str) -> None:
    """Reading a number takes the square of its digits; no number that a call accepts has more than 32 characters."""
    with pytest.raises(CommandError, match="arguments are not JSON"):
        parse_all([("id_token.set_custom_claim", f'{{"name":"n","value":[{number}]}}')])
    longest = [-1.7976931348623157e308, 2.2250738585072014e-308, -(2**53), 0.00012345678901234567, 123456789012345.67]
    text = surface.encode("id_token.set_custom_claim", {"name": "n", "value": longest})
    assert parse_all([("id_token.set_custom_claim", text)])[0]["value"] == longest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "NaN",
        '{"name":"n","value":NaN}',
        '{"name":"n","value":-Infinity}',
        '{"name":"n","value":1e999}',
        '{"name":"n","value":' + "9" * 5000 + "}",
        '{"name":"n","value":' + "[" * 100_000,
        '{"name":"n","value":"\\ud800"}',
        '{"name":"n","value":"\\u0000"}',
        '{"name":"n","name":"n","value":1}',
        '{"name":"n","value":"' + "x" * 900_000 + '"}',
        '{"name":"n","value":1} {}',
    ],
    ids=range(14),
)
def test_hostile_json_is_a_command_error(text: str) -> None:
    """Text from a worker that is not strict JSON of the right shape ends in CommandError and nothing else."""
    with pytest.raises(CommandError):
        parse_all([("id_token.set_custom_claim", text)])


@pytest.mark.parametrize(
    "command",
    [
        *(
            ("multifactor.enable", {"provider": p, **remember})
            for p in PROVIDERS
            for remember in ({}, {"allow_remember_browser": True}, {"allow_remember_browser": False})
        ),
        ("multifactor.enable", {"provider": "duo", "provider_options": {"host": "h"}}),
        ("access.deny", {"reason": 'é "quoted"\n'}),
        ("id_token.set_custom_claim", {"name": "n", "value": {"b": [1, 1.5, None, True, "😀"], "a": 2**53}}),
    ],
)
def test_encoding_survives_the_way_to_the_daemon(command: tuple[str, dict[str, Any]]) -> None:
    """Encoded arguments are JSON of the bytes that limits count, the same each time, and validated to the same ones."""
    op, args = command
    text = surface.encode(op, args)
    assert len(text.encode()) == json_bytes(args)
    assert text == surface.encode(op, args)
    assert json.loads(text) == args
    assert parse_all([(op, text)]) == [args]


def test_parsed_arguments_are_not_shared_between_executions() -> None:
    """The prepared arguments of common commands cannot be changed through a result."""
    text = surface.encode("multifactor.enable", {"provider": "any"})
    parse_all([("multifactor.enable", text)])[0]["provider"] = "none"
    assert parse_all([("multifactor.enable", text)]) == [{"provider": "any"}]
