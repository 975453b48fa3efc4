"""The clients: `Client` waits, `AsyncClient` awaits. What they share is in `_Calls`; each adds its way of waiting.

Must not know what a step means."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, Self

import grpc
import grpc.aio
from vestibule.v1 import decision_pb2
from vestibule.v1.runtime_service_pb2 import (
    VIEW_BASIC,
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
    GatewayContext,
    GetTenantResponse,
    View,
)

from vestibule_client import channel, oauth, requests
from vestibule_client.attempts import Attempt, Pause, Retries, plan
from vestibule_client.channel import ApiKey, Tls
from vestibule_client.errors import RequestRefused, VestibuleError, failure_of
from vestibule_client.fallback import DENY, Event, Fallback, refuse, step_without_answer
from vestibule_client.requests import Call, Request, Response, continuation_of, execution, tenant
from vestibule_client.steps import NextStep, Refuse, next_step, refusal
from vestibule_client.stream import AsyncStream, Stream

_log = logging.getLogger("vestibule_client")


@dataclass(frozen=True)
class Decided:
    """What the gateway does next, and why."""

    step: NextStep
    request_id: str
    """Log it: the daemon's log line has it, too."""
    decision: decision_pb2.Decision | None = None
    """None when there is no answer, or the request was refused: `error` says why."""
    error: VestibuleError | None = None


def decided(response: ExecutePostLoginResponse | ContinuePostLoginResponse) -> Decided:
    """Say what an answer means."""
    return Decided(next_step(response.decision), response.request_id, decision=response.decision)


def refused(error: RequestRefused) -> Refuse:
    """Say what a request that the daemon refuses means for the user."""
    if error.failure.is_about_the_continuation():
        return refusal(oauth.BEGIN_AGAIN, "this login cannot be continued; begin again")
    return refusal(oauth.NOT_UNDERSTOOD, "the login could not be decided")


class _Calls:
    """What both clients share: options, requests, and what an answer means."""

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        api_key: ApiKey | None = None,
        insecure: bool = False,
        deadline_s: float = 5.0,
        retries: Retries | None = None,
        fallback: Fallback = DENY,
        view: View = VIEW_BASIC,
        stream: bool = False,
    ) -> None:
        """Prepare to call the daemon at HOST:PORT or unix:/PATH. Raises: OSError; ValueError.

        A target on another machine is called with TLS, unless `insecure` says otherwise. `deadline_s` is for one login
        with all its attempts. `fallback` is what happens to a login without an answer. `stream` puts all logins on
        one call, those that wait in one message.
        """
        if deadline_s <= 0:
            raise ValueError(f"deadline_s: is {deadline_s:g}; give more than 0")
        if isinstance(api_key, str):
            channel.metadata(api_key)
        self._way = channel.way_to(target, tls, insecure=insecure)
        self._api_key = api_key
        self._deadline_s = deadline_s
        self._retries = retries or Retries()
        self._fallback = fallback
        self._view = view
        self._streams = stream

    def _plan(self) -> Generator[Attempt | Pause, Any, Any]:
        return plan(self._retries, self._deadline_s)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return channel.metadata(self._api_key)

    def _execute(
        self, tenant_id: str, event: Event, request_id: str, gateway: GatewayContext | None
    ) -> Call[ExecutePostLoginRequest, ExecutePostLoginResponse]:
        return execution(requests.execute(tenant_id, event, request_id, gateway, self._view))

    def _continue(
        self,
        tenant_id: str,
        event: Event,
        continuation: bytes,
        completed: Iterable[decision_pb2.Factor | str],
        request_id: str,
        gateway: GatewayContext | None,
    ) -> Call[ContinuePostLoginRequest, ContinuePostLoginResponse]:
        request = requests.resume(tenant_id, event, continuation, completed, request_id, gateway, self._view)
        return continuation_of(request)

    def _without_answer(self, error: VestibuleError, request_id: str, event: Event | None) -> Decided:
        """Say what to do without a decision: the fallback for a login that begins, a refusal for anything else."""
        _log.warning("no decision for request %s: %s", request_id, error)
        if isinstance(error, RequestRefused):
            step: NextStep = refused(error)
        elif event is None:
            step = refuse()
        else:
            step = step_without_answer(self._fallback, event)
        return Decided(step, request_id, error=error)


class Client(_Calls):
    """Calls a daemon and waits for the answer. One client serves all threads; keep it as long as the process lives."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight end."""
        self._stream.close()
        self._channel.close()

    def decide(
        self, tenant_id: str, event: Event, *, request_id: str = "", gateway: GatewayContext | None = None
    ) -> Decided:
        """Say what to do with a login; without an answer, what the fallback says."""
        call = self._execute(tenant_id, event, request_id, gateway)
        try:
            response = self._run(call)
        except VestibuleError as error:
            return self._without_answer(error, call.request.request_id, event)
        return decided(response)

    def resume(
        self,
        tenant_id: str,
        event: Event,
        continuation: bytes,
        completed: Iterable[decision_pb2.Factor | str] = (),
        *,
        request_id: str = "",
        gateway: GatewayContext | None = None,
    ) -> Decided:
        """Say what follows once the user did what a step with `resume` asked for. Without an answer: refuse."""
        call = self._continue(tenant_id, event, continuation, completed, request_id, gateway)
        try:
            response = self._run(call)
        except VestibuleError as error:
            return self._without_answer(error, call.request.request_id, None)
        return decided(response)

    def get_tenant(self, tenant_id: str) -> GetTenantResponse:
        """Ask what a gateway may want to know of a tenant. Raises: NoAnswer, RequestRefused."""
        return self._run(tenant(tenant_id))

    def execute_post_login(self, request: ExecutePostLoginRequest) -> ExecutePostLoginResponse:
        """Make the call of the contract, with retries. Raises: NoAnswer, RequestRefused."""
        return self._run(execution(request))

    def continue_post_login(self, request: ContinuePostLoginRequest) -> ContinuePostLoginResponse:
        """Make the call of the contract, with retries. Raises: NoAnswer, RequestRefused."""
        return self._run(continuation_of(request))

    @functools.cached_property
    def _channel(self) -> grpc.Channel:
        way = self._way
        if way.credentials is None:
            return grpc.insecure_channel(way.target, options=way.options)
        return grpc.secure_channel(way.target, way.credentials, options=way.options)

    @functools.cached_property
    def _stream(self) -> Stream:
        return Stream(self._channel, self._metadata)

    def _once(self, call: Call[Request, Response], timeout_s: float) -> Any:
        """Return the response, or the failure."""
        if self._streams and call.may_be_streamed:
            return self._stream.ask(call, timeout_s)
        method: Any = self._channel.unary_unary(call.path, call.serialize, call.parse)
        try:
            return method(call.request, timeout=timeout_s, metadata=self._metadata())
        except grpc.RpcError as error:
            return failure_of(error)

    def _run(self, call: Call[Request, Response]) -> Response:
        steps = self._plan()
        heard: Any = None
        try:
            while True:
                match steps.send(heard):
                    case Pause(seconds):
                        time.sleep(seconds)
                        heard = None
                    case Attempt(timeout_s):
                        heard = self._once(call, timeout_s)
        except StopIteration as end:
            return call.answer(end)


class AsyncClient(_Calls):
    """Calls a daemon from asyncio. One client serves one event loop; keep it as long as the loop runs."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight end."""
        await self._stream.close()
        await self._channel.close()

    async def decide(
        self, tenant_id: str, event: Event, *, request_id: str = "", gateway: GatewayContext | None = None
    ) -> Decided:
        """Say what to do with a login; without an answer, what the fallback says."""
        call = self._execute(tenant_id, event, request_id, gateway)
        try:
            response = await self._run(call)
        except VestibuleError as error:
            return self._without_answer(error, call.request.request_id, event)
        return decided(response)

    async def resume(
        self,
        tenant_id: str,
        event: Event,
        continuation: bytes,
        completed: Iterable[decision_pb2.Factor | str] = (),
        *,
        request_id: str = "",
        gateway: GatewayContext | None = None,
    ) -> Decided:
        """Say what follows once the user did what a step with `resume` asked for. Without an answer: refuse."""
        call = self._continue(tenant_id, event, continuation, completed, request_id, gateway)
        try:
            response = await self._run(call)
        except VestibuleError as error:
            return self._without_answer(error, call.request.request_id, None)
        return decided(response)

    async def get_tenant(self, tenant_id: str) -> GetTenantResponse:
        """Ask what a gateway may want to know of a tenant. Raises: NoAnswer, RequestRefused."""
        return await self._run(tenant(tenant_id))

    async def execute_post_login(self, request: ExecutePostLoginRequest) -> ExecutePostLoginResponse:
        """Make the call of the contract, with retries. Raises: NoAnswer, RequestRefused."""
        return await self._run(execution(request))

    async def continue_post_login(self, request: ContinuePostLoginRequest) -> ContinuePostLoginResponse:
        """Make the call of the contract, with retries. Raises: NoAnswer, RequestRefused."""
        return await self._run(continuation_of(request))

    @functools.cached_property
    def _channel(self) -> grpc.aio.Channel:
        way = self._way
        if way.credentials is None:
            return grpc.aio.insecure_channel(way.target, options=way.options)
        return grpc.aio.secure_channel(way.target, way.credentials, options=way.options)

    @functools.cached_property
    def _stream(self) -> AsyncStream:
        return AsyncStream(self._channel, self._metadata)

    async def _once(self, call: Call[Request, Response], timeout_s: float) -> Any:
        """Return the response, or the failure."""
        if self._streams and call.may_be_streamed:
            return await self._stream.ask(call, timeout_s)
        method: Any = self._channel.unary_unary(call.path, call.serialize, call.parse)
        try:
            return await method(call.request, timeout=timeout_s, metadata=self._metadata())
        except grpc.RpcError as error:
            return failure_of(error)

    async def _run(self, call: Call[Request, Response]) -> Response:
        steps = self._plan()
        heard: Any = None
        try:
            while True:
                match steps.send(heard):
                    case Pause(seconds):
                        await asyncio.sleep(seconds)
                        heard = None
                    case Attempt(timeout_s):
                        heard = await self._once(call, timeout_s)
        except StopIteration as end:
            return call.answer(end)
