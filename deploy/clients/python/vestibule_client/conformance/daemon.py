"""A scripted daemon: serves the contract, answers as a case says, and notes every fault of the calls it gets.

Must not know the gateway or what it does with an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, duration_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from vestibule.v1 import decision_pb2, runtime_service_pb2
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginRequest, ExecutePostLoginRequest

from vestibule_client.conformance.cases import Answer, Case

LONGEST_DEADLINE_S: Final = 60.0
_SERVICE: Final = "vestibule.v1.ActionRuntimeService"
_METHODS: Final[dict[str, tuple[type[Message], type[Message]]]] = {
    "ExecutePostLogin": (ExecutePostLoginRequest, runtime_service_pb2.ExecutePostLoginResponse),
    "ContinuePostLogin": (ContinuePostLoginRequest, runtime_service_pb2.ContinuePostLoginResponse),
}
# A clock that runs a little ahead of the caller's is no fault of the caller.
_EARLY_S: Final = 0.02


class ScriptedDaemon:
    """Answers the calls of one case after the other, on a port of its own. `faults` has what was wrong with them."""

    def __init__(self, listen: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None) -> None:
        """Listen at HOST:PORT or unix:PATH. Raises: RuntimeError."""
        self.faults: list[str] = []
        self._script: list[Answer] = []
        self._tenant_id = ""
        self._calls: list[tuple[str, Any]] = []
        self._answered_at = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._handler(name), request.FromString, response.SerializeToString
            )
            for name, (request, response) in _METHODS.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        if credentials is None:
            port = self._server.add_insecure_port(listen)
        else:
            port = self._server.add_secure_port(listen, credentials)
        self.target = listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
        self._server.start()

    def begin(self, case: Case, tenant_id: str) -> None:
        """Answer as this case says from now on."""
        with self._lock:
            self.faults = []
            self._script = list(case.daemon)
            self._tenant_id = tenant_id
            self._calls = []
            self._over.set()
            self._over = threading.Event()

    def end(self) -> list[str]:
        """Return the faults of the calls of this case, calls that were not made included."""
        with self._lock:
            self._over.set()
            missing = [f"the gateway made no call of {answer.method} for {_what(answer)}" for answer in self._script]
            return self.faults + missing

    def stop(self) -> None:
        """Serve no longer."""
        self._over.set()
        self._server.stop(0).wait()

    def _handler(self, method: str) -> Callable[[Any, grpc.ServicerContext], Message]:
        return lambda request, context: self._call(method, request, context)

    def _call(self, method: str, request: Any, context: grpc.ServicerContext) -> Message:
        with self._lock:
            answer = self._script[0] if self._script else None
            if answer is None or answer.method != method:
                wanted = f"the next one is {answer.method}" if answer else "the flow is over"
                self.faults.append(f"the gateway called {method}, and {wanted}")
                answer = Answer(error={"status": "FAILED_PRECONDITION", "reason": "NOT_IN_THE_SCRIPT"})
            else:
                self._script.pop(0)
                self.faults += [f"{method}: {fault}" for fault in self._wrong(answer, method, request, context)]
            self._calls.append((method, request))
            over = self._over
        if answer.hangs:
            context.add_callback(over.set)
            over.wait(LONGEST_DEADLINE_S)
        self._answered_at = time.monotonic()
        if answer.error is not None:
            _fail(context, answer.error)
        response = _METHODS[method][1]()
        if answer.decision is not None:
            response.decision.CopyFrom(_completed(answer.decision))  # type: ignore[attr-defined]  # both have one
        response.request_id = request.request_id  # type: ignore[attr-defined]  # both have one
        return response

    def _wrong(self, answer: Answer, method: str, request: Any, context: grpc.ServicerContext) -> list[str]:
        """List what is wrong with a call."""
        found = []
        left = context.time_remaining()
        if left is None or left > LONGEST_DEADLINE_S:
            found.append("it has no deadline; set one of a few seconds")
        if request.tenant_id != self._tenant_id:
            found.append(f"tenant_id is {request.tenant_id!r}, not {self._tenant_id!r}")
        if not request.request_id:
            found.append("request_id is empty, so that it cannot be retried")
        elif answer.retry:
            if self._calls[-1] != (method, request):
                found.append("a retry must be the same request, with the same request_id")
        elif any(request.request_id == earlier.request_id for _, earlier in self._calls):
            found.append("request_id is that of an earlier call; each leg has its own")
        if time.monotonic() - self._answered_at < answer.after_s - _EARLY_S:
            found.append(f"it came sooner than the {answer.after_s:g} s that the daemon asked for")
        if request.WhichOneof("login") is None:
            found.append("it has no event")
        return found + _differences(answer, request, dict(context.invocation_metadata()))


def _differences(answer: Answer, request: Any, metadata: Mapping[str, str | bytes]) -> list[str]:
    """Compare what a call says with what it must say."""
    if not answer.expect:
        return []
    event = getattr(request, request.WhichOneof("login") or "event")
    said: dict[str, Any] = json_format.MessageToDict(event, preserving_proto_field_name=True)
    have: dict[str, Any] = {
        "authorization": metadata.get("authorization"),
        "query": said.get("request", {}).get("query", {}),
        "prompt": said.get("prompt", {}),
        "gateway": json_format.MessageToDict(request.gateway, preserving_proto_field_name=True),
    }
    if isinstance(request, ContinuePostLoginRequest):
        have["completed"] = [decision_pb2.Factor.Name(factor) for factor in request.completed]
        have["continuation"] = request.continuation.decode(errors="replace")
    found = []
    for name, wanted in answer.expect.items():
        value = have[name]
        same = wanted.items() <= value.items() if isinstance(wanted, dict) else wanted == value
        if not same:
            found.append(f"{name} is {value!r}, not {wanted!r}")
    return found


def _completed(decision: decision_pb2.Decision) -> decision_pb2.Decision:
    """Fill in what every answer has."""
    whole = decision_pb2.Decision(decision_id="d-1", catalog_revision=1)
    whole.MergeFrom(decision)
    return whole


def _fail(context: grpc.ServicerContext, error: Any) -> None:
    """End a call with a status and google.rpc details."""
    code, message = grpc.StatusCode[error["status"]], error.get("message", "as the script says")
    details: list[Message] = []
    if "reason" in error:
        details.append(error_details_pb2.ErrorInfo(reason=error["reason"], domain="vestibule"))
    if "retry_after_s" in error:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error["retry_after_s"] * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if details:
        packed = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        status = status_pb2.Status(code=code.value[0], message=message, details=packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


def _what(answer: Answer) -> str:
    if answer.decision is not None:
        return f"the answer {decision_pb2.Outcome.Name(answer.decision.outcome)}"
    return f"the error {answer.error['status']}" if answer.error else "the answer that never comes"
