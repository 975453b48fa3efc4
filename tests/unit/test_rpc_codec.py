"""The request decoder: what reaches a flow is checked, what does not is refused by field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1.decision_pb2 import FACTOR_OTP as OTP
from vestibule.v1.decision_pb2 import FACTOR_PHONE as PHONE
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ExecutePostLoginRequest,
    GatewayContext,
    GetTenantRequest,
)
from vestibule.worker.v1.worker_pb2 import ExecuteEnvelope

from runtime.calls.codec import AUTH0_VALUES, ENVELOPE_BYTES, decode, decode_continuation, decode_tenant
from runtime.continuation.token import MAX_BYTES
from runtime.errors import InvalidEvent, InvalidRequest
from runtime.login import event_json
from runtime.login.logins import Request

EVENT = PostLoginEvent()
EVENT.user.user_id = "auth0|1"
EVENT.client.client_id = "app"
LIMIT = 1 << 20


def request(**fields: object) -> bytes:
    values = {"tenant_id": "acme", "request_id": "r-1", "event": EVENT} | fields
    return ExecutePostLoginRequest(**values).SerializeToString()  # type: ignore[arg-type]  # fields by name


def test_the_event_passes_as_the_bytes_it_came_in() -> None:
    """The private envelope reads the public request, and the event stays serialized."""
    assert decode(request(), LIMIT) == Request("acme", "r-1", EVENT.SerializeToString(), message=EVENT, named=True)


def test_the_gateway_is_absent_empty_or_bytes() -> None:
    """An empty gateway asks for a resolution, an absent one does not."""
    assert decode(request(gateway=GatewayContext()), LIMIT)[3] == b""
    gateway = GatewayContext(mfa_grant_allowed=False)
    assert decode(request(gateway=gateway), LIMIT)[3] == gateway.SerializeToString()


def test_a_malformed_gateway_is_refused() -> None:
    """It is the caller's fault, by field."""
    event = EVENT.SerializeToString()
    with pytest.raises(InvalidRequest) as caught:
        decode(ExecuteEnvelope(tenant_id="acme", event=event, gateway=b"\xff").SerializeToString(), LIMIT)
    assert caught.value.field == "gateway"


def test_an_envelope_is_the_request_on_the_wire() -> None:
    """Field numbers of the private message equal those of the public ones."""
    private = {f.name: f.number for f in ExecuteEnvelope.DESCRIPTOR.fields}
    assert {f.name: f.number for f in ContinuePostLoginRequest.DESCRIPTOR.fields} == private
    assert {f.name: f.number for f in ExecutePostLoginRequest.DESCRIPTOR.fields}.items() <= private.items()


def test_a_message_that_comes_in_pieces_is_joined() -> None:
    """An event or a gateway in pieces is what protobuf makes of them, not the last piece."""
    first = ExecutePostLoginRequest(tenant_id="acme", event=EVENT, gateway={"actor": True})
    second = ExecutePostLoginRequest(event={"request": {"ip": "192.0.2.1"}}, gateway={"webauthn": False})
    data = first.SerializeToString() + second.SerializeToString()
    whole = ExecutePostLoginRequest.FromString(data)
    _, _, event, gateway, _, _, message, *_ = decode(data, LIMIT)
    assert PostLoginEvent.FromString(event) == message == whole.event
    assert whole.event.user.user_id
    assert whole.event.request.ip
    assert gateway == whole.gateway.SerializeToString()


def test_a_continuation_comes_with_its_factors() -> None:
    """ContinuePostLogin's own members are read beside what every login has; nothing of them is judged here."""
    sent = ContinuePostLoginRequest(
        tenant_id="acme", request_id="r-1", event=EVENT, continuation=b"\xff\0", completed=[PHONE, OTP, PHONE]
    )
    wanted = Request("acme", "r-1", EVENT.SerializeToString(), None, b"\xff\0", [PHONE, OTP, PHONE], EVENT, named=True)
    assert decode_continuation(sent.SerializeToString(), LIMIT) == wanted


AUTH0: dict[str, Any] = {
    "user": {"userId": "auth0|1", "email_verified": True, "user_metadata": {"n": 3, "deep": [{"a": None}]}},
    "client": {"client_id": "app"},
    "stats": {"logins_count": 7},
    "noSuchMember": {"x": 1},
}


def test_auth0s_own_json_is_an_event_too() -> None:
    """Both spellings and whole numbers are read by the mapping of the commands; what the event does not have is not."""
    sent = ExecutePostLoginRequest(tenant_id="acme")
    sent.auth0_event.update(AUTH0)
    _, _, event, _, _, _, message, *_ = decode(sent.SerializeToString(), LIMIT)
    assert message == event_json.from_json(AUTH0) == PostLoginEvent.FromString(event)
    assert message.stats.logins_count == 7


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"client": {"client_id": "a"}}, "event.user.user_id"),
        (AUTH0 | {"stats": {"logins_count": 1.5}}, "event.stats.logins_count"),
        (AUTH0 | {"request": {"ip": "none"}}, "event.request.ip"),
        (AUTH0 | {"request": "none"}, "event.request"),
        (AUTH0 | {"user": {"user_id": "u", "user_metadata": {"n": float("nan")}}}, "event.user.user_metadata.n"),
        ({}, "auth0_event"),
        (AUTH0 | {"x": [None] * AUTH0_VALUES}, "auth0_event"),
        (AUTH0 | {"x": [[None] * 400] * 100}, "auth0_event"),
    ],
)
def test_auth0s_own_json_is_refused_by_field(members: dict[str, Any], field: str) -> None:
    """What is wrong with a member is said of the member."""
    sent = ExecutePostLoginRequest(tenant_id="acme", auth0_event={})
    sent.auth0_event.update(members)
    with pytest.raises(InvalidEvent) as caught:
        decode(sent.SerializeToString(), LIMIT)
    assert caught.value.field == field


def test_bytes_that_are_no_struct_are_refused() -> None:
    """Without a traceback, and by field."""
    with pytest.raises(InvalidEvent) as caught:
        decode(ExecuteEnvelope(tenant_id="acme", auth0_event=b"\xff").SerializeToString(), LIMIT)
    assert caught.value.field == "auth0_event"


def test_an_event_in_both_forms_is_the_last_one() -> None:
    """As every reader of a oneof has it."""
    first, second = ExecutePostLoginRequest(tenant_id="acme", event=EVENT), ExecutePostLoginRequest()
    second.auth0_event.update(AUTH0 | {"user": {"user_id": "auth0|2"}})
    data = first.SerializeToString() + second.SerializeToString()
    message = decode(data, LIMIT).message
    assert message is not None
    assert message.user.user_id == "auth0|2"


def test_an_event_of_auth0_that_is_too_large_is_said_to_be() -> None:
    """The limit of an event is the same in both forms."""
    sent = ExecutePostLoginRequest(tenant_id="acme")
    sent.auth0_event.update(AUTH0 | {"x": "x" * 2 * LIMIT})
    with pytest.raises(InvalidEvent, match=f"are more than the {LIMIT} allowed"):
        decode(sent.SerializeToString(), LIMIT)


def test_a_view_is_one_that_we_know() -> None:
    """FULL unless BASIC was asked for; a number of a newer client is refused rather than passed over."""
    assert [decode(request(view=view), LIMIT).basic for view in (0, 1, 2)] == [False, True, False]
    with pytest.raises(InvalidRequest, match=r"^view: has the number 3"):
        decode(request(view=3), LIMIT)


def test_the_largest_event_and_continuation_fit_through_grpc() -> None:
    """What is allowed by us is not refused by gRPC's own limit."""
    assert ENVELOPE_BYTES > MAX_BYTES


def test_a_request_id_is_chosen_when_absent() -> None:
    """Every login has an id of its own."""
    first, second = decode(request(request_id=""), LIMIT)[1], decode(request(request_id=""), LIMIT)[1]
    assert len(first) == 32
    assert first != second


@pytest.mark.parametrize("tenant_id", ["a", "0", "a" * 64, "acme-corp-1"])
def test_tenant_ids(tenant_id: str) -> None:
    """Lower-case letters, digits and hyphens, 1 to 64, beginning with a letter or digit."""
    assert decode(request(tenant_id=tenant_id), LIMIT)[0] == tenant_id


@pytest.mark.parametrize("tenant_id", ["", "-a", "A", "a" * 65, "a.b", "a/b", "../x", "a\n", "á", "a b", "a\0"])
def test_what_is_no_tenant_id_is_refused(tenant_id: str) -> None:
    """Anything else is refused by field, and not quoted."""
    with pytest.raises(InvalidRequest) as caught:
        decode(request(tenant_id=tenant_id), LIMIT)
    assert caught.value.field == "tenant_id"


@pytest.mark.parametrize("request_id", ["x" * 129, "a\nb", "\x1b[0m", "a\u202eb"])
def test_what_is_no_request_id_is_refused(request_id: str) -> None:
    """An id goes into logs and answers: printable, at most 128 characters."""
    with pytest.raises(InvalidRequest) as caught:
        decode(request(request_id=request_id), LIMIT)
    assert caught.value.field == "request_id"


@pytest.mark.parametrize("event", [b"\xff", b"\x0a\x05abc", b"\xa2\x01\x03\x22\x01\xff"])
def test_a_malformed_event_is_refused(event: bytes) -> None:
    """No worker is asked to parse bytes that are no event; text that is not UTF-8 is malformed too."""
    data = ExecuteEnvelope(tenant_id="acme", event=event).SerializeToString()
    with pytest.raises(InvalidRequest) as caught:
        decode(data, LIMIT)
    assert isinstance(caught.value, InvalidEvent)
    assert caught.value.field == "event"


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a", b"\x0a\x01\xff", b"not protobuf at all"])
def test_a_malformed_request_is_refused(data: bytes) -> None:
    """Bytes that are no request are the caller's fault, not ours."""
    with pytest.raises(InvalidRequest):
        decode(data, LIMIT)


def test_an_absent_event_is_refused_as_such_and_an_empty_one_by_its_members() -> None:
    """Both are a gateway's fault; each answer says which."""
    with pytest.raises(InvalidEvent, match=r"^event: is absent"):
        decode(ExecutePostLoginRequest(tenant_id="acme").SerializeToString(), LIMIT)
    with pytest.raises(InvalidEvent, match=r"^event\.user\.user_id: is absent"):
        decode(request(event=PostLoginEvent()), LIMIT)


@pytest.mark.parametrize("public", [ExecutePostLoginRequest, ContinuePostLoginRequest])
def test_an_absent_event_beside_a_malformed_message_is_the_requests_fault(
    public: type[ExecutePostLoginRequest | ContinuePostLoginRequest],
) -> None:
    """What the envelope passes on as bytes may be broken, too: it is refused, whether or not there is an event."""
    data = ExecuteEnvelope(tenant_id="acme", gateway=b"\xff").SerializeToString()
    with pytest.raises(InvalidRequest, match=f"request: is not a serialized {public.DESCRIPTOR.full_name}"):
        decode(data, 1000, public)


def test_an_event_over_the_limit_is_refused_with_numbers() -> None:
    """The limit counts the serialized event, and the limit itself is allowed."""
    size = EVENT.ByteSize()
    decode(request(), size)
    with pytest.raises(InvalidEvent, match=f"{size} bytes are more than the {size - 1} allowed"):
        decode(request(), size - 1)


@pytest.mark.parametrize(
    "more",
    [
        ContinuePostLoginRequest(completed=[OTP] * 200_000),
        ContinuePostLoginRequest(continuation=bytes(200_000)),
        ContinuePostLoginRequest(request_id="r" * 200_000),
    ],
    ids=["factors", "continuation", "request id"],
)
def test_a_request_whose_weight_is_not_its_event_is_not_read_on(more: ContinuePostLoginRequest) -> None:
    """A million factors would hold up every other login for as long as it takes to look at them."""
    sent = ContinuePostLoginRequest(tenant_id="acme", event=EVENT)
    decode_continuation(sent.SerializeToString(), LIMIT)
    sent.MergeFrom(more)
    with pytest.raises(InvalidRequest, match="bytes besides its event") as caught:
        decode_continuation(sent.SerializeToString(), LIMIT)
    assert caught.value.field == "request"


@pytest.mark.parametrize(
    ("more", "pieces"),
    [
        (1, 1),
        (ENVELOPE_BYTES + 1, 1),
        (5 << 20, 1),
        (5 << 20, 3),
        pytest.param(40 << 20, 1, marks=pytest.mark.long),
        pytest.param(40 << 20, 3, marks=pytest.mark.long),
    ],
)
def test_a_request_of_any_size_is_refused_in_the_same_words(more: int, pieces: int) -> None:
    """What is far too large is refused by its lengths alone, as what is a little too large is when it is decoded."""
    parts = [PostLoginEvent(user={"name": "x" * ((LIMIT + more) // pieces)}) for _ in range(pieces)]
    parts[-1].MergeFrom(EVENT)
    data = b"".join(ExecutePostLoginRequest(tenant_id="acme", event=part).SerializeToString() for part in parts)
    with pytest.raises(InvalidEvent, match="bytes are more than the 1048576 allowed; send less metadata"):
        decode(data, LIMIT)


def test_a_large_request_without_an_event_is_the_requests_fault() -> None:
    """So is one of which nothing can be read, and one with more fields than any gateway writes."""
    for data in (
        ExecutePostLoginRequest(request_id="r" * (2 << 20)).SerializeToString(),
        b"\xff" * (2 << 20),
        b"\x0a\x00" * (1 << 20),
        b"\x08\x01" * (1 << 20) + request(),
    ):
        with pytest.raises(InvalidRequest, match="bytes besides its event") as caught:
            decode(data, LIMIT)
        assert caught.value.field == "request"


def test_an_event_in_pieces_is_joined_up_to_the_limit_only() -> None:
    """What no event could hold is refused before it is made one, which takes many times as long as to read one."""
    pieces = request(event=PostLoginEvent(authentication={"methods": [{}] * LIMIT})) + request()
    with pytest.raises(InvalidRequest, match="2097176 bytes are more than the 1048576 allowed"):
        decode(pieces, LIMIT)


def test_unknown_fields_are_ignored() -> None:
    """A newer caller is understood, and an address that is rewritten loses none of it."""
    newer = EVENT.SerializeToString() + b"\xf8\x3f\x01"
    data = ExecuteEnvelope(tenant_id="acme", request_id="r", event=newer).SerializeToString() + b"\xf8\x3f\x01"
    assert decode(data, LIMIT)[2] == newer
    mapped = PostLoginEvent.FromString(newer)
    mapped.request.ip = "::ffff:192.0.2.1"
    plain = PostLoginEvent.FromString(newer)
    plain.request.ip = "192.0.2.1"
    found = decode(request(event=mapped), LIMIT)
    assert found.event == plain.SerializeToString()
    assert found.message == plain


@given(st.binary(max_size=200))
def test_any_bytes_are_a_question_about_a_tenant_or_refused(data: bytes) -> None:
    """GetTenant's message is read as strictly as a login's envelope."""
    try:
        asked = decode_tenant(data, 100)
    except InvalidRequest:
        return
    assert asked.tenant == GetTenantRequest.FromString(data).tenant_id
    assert 1 <= len(asked.tenant) <= 64


@given(st.binary(max_size=200))
def test_any_bytes_are_auth0s_json_or_refused(data: bytes) -> None:
    """A Struct of a stranger is an event within its rules, or refused."""
    try:
        found = decode(ExecuteEnvelope(tenant_id="acme", auth0_event=data).SerializeToString(), 1000)
    except InvalidRequest:
        return
    assert found.message is not None
    assert found.message.user.user_id


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    """Hostile bytes give a request within its limits or an error for the caller; nothing else, ever."""
    try:
        tenant_id, request_id, event, _, _, completed, message, *_ = decode_continuation(data, 100)
        assert decode(data, 100)[2] == event
    except InvalidRequest:
        return
    assert all(type(number) is int for number in completed)
    assert 0 < len(tenant_id) <= 64
    assert 0 < len(request_id) <= 128
    assert len(event) <= 100
    assert message is not None
    # Not ==: a NaN differs from itself.
    said = PostLoginEvent.FromString(event).SerializeToString(deterministic=True)
    assert message.SerializeToString(deterministic=True) == said


@given(st.text(max_size=80), st.text(max_size=140), st.binary(max_size=60))
def test_any_fields_are_decoded_or_refused(tenant_id: str, request_id: str, event: bytes) -> None:
    """The same, for bytes that are an envelope."""
    data = ExecuteEnvelope(tenant_id=tenant_id, request_id=request_id, event=event).SerializeToString()
    field = ""
    try:
        assert decode(data, 100)[0] == tenant_id
    except InvalidRequest as error:
        field = error.field
    assert field in ("", "tenant_id", "request_id", "event", "event.user.user_id", "event.client.client_id", "request")


@pytest.mark.parametrize("read", [decode, decode_continuation])
@pytest.mark.parametrize("given", ["event", "auth0_event"])
def test_facts_are_held_to_their_limit_in_every_request(read: Any, given: str) -> None:
    """A login that begins and one that is continued, in both forms of the event."""
    facts = {"x": "y" * 100}
    message = ExecutePostLoginRequest() if read is decode else ContinuePostLoginRequest()
    message.tenant_id = "acme"
    if given == "event":
        message.event.CopyFrom(EVENT)
        message.event.facts.update(facts)
    else:
        message.auth0_event.update({"user": {"user_id": "u"}, "client": {"client_id": "c"}, "facts": facts})
    data = message.SerializeToString()
    assert dict(read(data, LIMIT, max_facts_bytes=200).message.facts) == facts
    with pytest.raises(InvalidEvent, match="bytes are more than the 50 allowed") as caught:
        read(data, LIMIT, max_facts_bytes=50)
    assert caught.value.field == "event.facts"
