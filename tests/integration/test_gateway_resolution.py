"""A gateway that says what it knows gets its requirement resolved, by the real daemon and over the real wire."""

import time

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    VIEW_BASIC,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
    RememberedBrowser,
)

from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Serve
from tests.fixtures.tenants import write_directory

REQUIRE = "def on_execute_post_login(event, api):\n    api.multifactor.enable('any', allow_remember_browser=True)\n"
METHOD = "/vestibule.v1.ActionRuntimeService/ExecutePostLogin"


def remembered(user_id: str) -> GatewayContext:
    """What a cookie of an hour ago says."""
    earlier = Timestamp(seconds=int(time.time()) - 3600)
    memory = RememberedBrowser(user_id=user_id, provider=pb.PROVIDER_ANY, issued_at=earlier, last_seen_at=earlier)
    return GatewayContext(remembered_browser=memory)


def test_a_remembered_answer_is_resolved_for_each_login(serve: Serve) -> None:
    """Logins that end alike are decided alike and resolved one by one, without a gateway by its defaults."""
    daemon = serve()
    directory = write_directory(daemon.path.parent, "acme", REQUIRE)
    applied = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}")
    assert applied.returncode == 0, applied.stderr
    daemon.wait_for("catalog.reloaded", revision=1)

    event = PostLoginEvent()
    event.user.user_id = "auth0|1"
    event.client.client_id = "app"
    event.user.enrolled_factors.values.add(type="otp")
    event.transaction.protocol = "oidc-basic-profile"
    contexts = [None, remembered("auth0|1"), GatewayContext(), remembered("auth0|2"), remembered("auth0|1"), None]
    outcomes = []
    with grpc.insecure_channel(daemon.target) as channel:
        call = channel.unary_unary(
            METHOD, ExecutePostLoginRequest.SerializeToString, ExecutePostLoginResponse.FromString
        )
        for context in contexts:
            request = ExecutePostLoginRequest(tenant_id="acme", event=event, gateway=context)
            decision = call(request, timeout=10).decision
            outcomes.append(decision.outcome)
            assert decision.multifactor.provider == pb.PROVIDER_ANY
            assert len(decision.executions) == 1
            if decision.outcome == pb.OUTCOME_MFA_REQUIRED:
                assert list(decision.multifactor.challenge) == [pb.FACTOR_OTP]
            else:
                assert decision.multifactor.status == pb.Multifactor.STATUS_REMEMBERED
                assert decision.multifactor.memory.expires_at.seconds > time.time()
        request = ExecutePostLoginRequest(tenant_id="acme", event=event)
        request.event.transaction.prompt.values.append("none")
        silent = call(request, timeout=10).decision
        request.view = VIEW_BASIC
        basic = call(request, timeout=10).decision
    required, allowed = pb.OUTCOME_MFA_REQUIRED, pb.OUTCOME_ALLOW
    assert outcomes == [required, allowed, required, required, allowed, required]
    assert (silent.outcome, silent.denial.reason) == (pb.OUTCOME_DENY, pb.Denial.REASON_INTERACTION_REQUIRED)
    assert (len(silent.executions), len(basic.executions), len(basic.contributions)) == (1, 0, 0)
    assert basic.denial == silent.denial
    # The log and the metrics say what the gateway was told.
    logged = daemon.wait_for("login.decided", outcome="deny")
    assert (logged["denied"], logged["factor"]) == ("interaction_required", "failed")
    assert daemon.metric("vestibule_decisions_total", outcome="allow") == 2
