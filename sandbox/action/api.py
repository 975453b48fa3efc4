"""The `api` object an action is given: every call is checked against the table and recorded; nothing happens here.

Knows how to turn `sandbox.contract.surface` into objects. Must not know what a command leads to; no state outlives an
execution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from sandbox.action.live import Draft, FlowState, Recorded
from sandbox.contract import surface
from sandbox.contract.call import Call, bind, signature
from sandbox.contract.readonly import ReadOnly
from sandbox.contract.spending import LOGIN_COMMANDS_MAX, Leaving, Spending
from sandbox.contract.values import camel
from sandbox.reach.interrupts import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

    from vestibule.v1.event_pb2 import PostLoginEvent

    from sandbox.action.event import Event

NOT_CONTINUING: Final = "only in on_continue_post_login, which runs when the user is back from a page or a form"


class CommandRecorder:
    """What one execution has asked for, in call order. Arguments are private copies taken at the moment of the call."""

    __slots__ = (
        "_defined",
        "_draft",
        "_flow",
        "_handler",
        "_leaving",
        "_open",
        "_spending",
        "_uses",
        "_view",
        "clock_ns",
        "commands",
    )

    def __init__(
        self,
        view: Event,
        flow: FlowState | None = None,
        clock_ns: int = 0,
        handler: str = "",
        defined: Container[str] = (),
        uses: Collection[str] | None = None,
    ) -> None:
        """Begin a record.

        Args:
            view: the event as this execution sees it.
            flow: what earlier executions left to this one.
            clock_ns: the execution's clock, nanoseconds since the epoch.
            handler: the function that runs.
            defined: names that the action defines, with others that do not matter here.
            uses: groups of calls that the action's binding lets it make; None: all. The daemon holds it to them too.
        """
        if flow is None:
            flow = FlowState()
        self._view = view
        self._flow = flow
        self.clock_ns = clock_ns
        self._handler = handler
        self._defined = defined
        self._uses = uses
        self._draft: Draft | None = Draft(view, flow) if flow.live else None
        self.commands: list[Recorded] = []
        self._spending: Spending | None = None
        self._leaving: Leaving | None = None
        self._open = True

    @property
    def event(self) -> PostLoginEvent:
        """See `Moment`."""
        message: PostLoginEvent = self._view._message
        return message

    def record(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check one call and append it.

        Raises:
            TypeError, ValueError: as `bind`, or a budget of the execution is spent.
            PermissionError: the action's binding does not let it make this call.
            LimitExceeded: the execution has made too many calls; its author's code cannot catch this.
            RuntimeError: the execution is over.
        """
        if self._uses is not None and (fault := surface.not_used(call.op, self._uses)):
            raise PermissionError(f"api.{call.op}: {fault}")
        bound = bind(call, args, kwargs)
        if not self._open:
            raise RuntimeError(f"api.{call.op}: the action has ended")
        if call.continue_only and self._handler != surface.CONTINUE:
            raise ValueError(f"api.{call.op}: {NOT_CONTINUING}")
        if call.needs is not None and (fault := call.needs(self)):
            raise ValueError(f"api.{call.op}: {fault}")
        if call.fits is not None and (fault := call.fits(self, bound)):
            raise ValueError(f"api.{call.op}: {fault}")
        command = (call.op, bound)
        draft = None
        if call.live:
            draft = self._draft = self._draft or Draft(self._view, self._flow)
            if fault := draft.fault(command):
                raise ValueError(f"api.{call.op}: {fault}")
        spending = self._spent()
        if spending.commands >= LOGIN_COMMANDS_MAX:
            raise LimitExceeded("commands", f"more than {LOGIN_COMMANDS_MAX} api calls in one login")
        if fault := spending.spend(call, bound):
            raise ValueError(f"api.{call.op}: {fault}")
        if call.ends == "suspend":
            if self._leaving is None:
                self._leaving = Leaving()
            if fault := self._leaving.add(call):
                raise ValueError(f"api.{call.op}: {fault}")
        if len(self.commands) >= surface.MAX_COMMANDS:
            raise LimitExceeded("commands", f"more than {surface.MAX_COMMANDS} api calls in one execution")
        self.commands.append(command)
        if draft is not None:
            draft.apply(command)

    def ask(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer a query from the event.

        Raises:
            TypeError, ValueError: as `bind`, or it cannot be answered here.
            PermissionError: as `record`.
        """
        if self._uses is not None and (fault := surface.not_used(call.op, self._uses)):
            raise PermissionError(f"api.{call.op}: {fault}")
        bound = bind(call, args, kwargs)
        if call.continue_only and self._handler != surface.CONTINUE:
            raise ValueError(f"api.{call.op}: {NOT_CONTINUING}")
        return call.answer(self, bound) if call.answer is not None else None

    def _spent(self) -> Spending:
        if self._spending is None:
            self._spending = self._flow.spending.copy()
        return self._spending

    @property
    def continues(self) -> bool:
        """See `Moment`."""
        return surface.CONTINUE in self._defined

    @property
    def records(self) -> Mapping[str, tuple[str, int]]:
        """See `Moment`."""
        return self._flow.records if self._draft is None else self._draft.records

    def perform(self, op: str, args: dict[str, Any]) -> bool:
        """See `Moment`."""
        if not self._open:
            raise RuntimeError(f"api.{op}: the action has ended")
        if len(self.commands) >= surface.MAX_COMMANDS or self._spent().spend(surface.CALLS[op], args):
            return False
        self._draft = self._draft or Draft(self._view, self._flow)
        self.commands.append((op, args))
        self._draft.apply((op, args))
        return True

    def leave(self) -> None:
        """Leave to the flow's later executions what this one did: it has completed."""
        if self._draft is not None:
            self._flow.live += [command for command in self.commands if surface.CALLS[command[0]].live]
        if self._spending is not None:
            self._flow.spending = self._spending

    def encoded(self) -> list[tuple[str, str]]:
        """Close the record and return it: operation and arguments as ASCII JSON text."""
        self._open = False
        return [(op, surface.encode(op, args)) for op, args in self.commands]


class Api(ReadOnly):
    """`api`: one attribute per group of calls."""

    __slots__ = ("_recorder",)
    _path_ = "api"
    _read_only_ = "api is read-only"

    def __init__(self, recorder: CommandRecorder) -> None:
        object.__setattr__(self, "_recorder", recorder)


class _Group(ReadOnly):
    """`api.GROUP`: one method per call."""

    __slots__ = ("_api",)
    _read_only_ = "api is read-only"

    def __init__(self, api: Api) -> None:
        object.__setattr__(self, "_api", api)


def _method(call: Call) -> Callable[..., Any]:
    def record(self: _Group, /, *args: Any, **kwargs: Any) -> Api:
        api: Api = self._api
        api._recorder.record(call, args, kwargs)
        return api

    def ask(self: _Group, /, *args: Any, **kwargs: Any) -> Any:
        api: Api = self._api
        return api._recorder.ask(call, args, kwargs)

    method = record if call.answer is None else ask
    method.__name__ = call.name
    method.__qualname__ = call.op
    method.__doc__ = f"{call.doc}\n\n{signature(call)}"
    return method


def _group(name: str) -> type[_Group]:
    members: dict[str, Any] = {"__slots__": (), "_path_": f"api.{name}", "__module__": __name__}
    for call in surface.SURFACE:
        if call.group == name:
            members[call.name] = members[camel(call.name)] = _method(call)
    members["_exposed_"] = frozenset(member for member in members if not member.startswith("_"))
    return type(camel(name).capitalize(), (_Group,), members)


def _expose_groups() -> None:
    """Give `Api` a property for each group, in both spellings."""
    groups = {name: _group(name) for name in dict.fromkeys(call.group for call in surface.SURFACE)}
    for name, group in groups.items():
        # Calling the class with the api is all a group needs, so the class itself is the getter.
        setattr(Api, name, property(group))
        setattr(Api, camel(name), property(group))
    Api._exposed_ = frozenset(groups) | frozenset(map(camel, groups))


_expose_groups()


def make_api(recorder: CommandRecorder) -> Api:
    """Make the api object of one execution."""
    return Api(recorder)
