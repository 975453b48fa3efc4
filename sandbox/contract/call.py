"""The shape of an api call, and how an author's arguments are matched with it.

Knows calls and parameters in general. Must not know any particular call: those are the table in
`sandbox.contract.surface`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, Protocol

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.frozen import DICTS
from sandbox.contract.kinds import Kind
from sandbox.contract.values import camel, shown

if TYPE_CHECKING:
    from vestibule.v1.event_pb2 import PostLoginEvent


class Missing(Enum):
    """What happens when an argument is not given."""

    REQUIRED = "required"
    OMITTED = "omitted"


REQUIRED: Final = Missing.REQUIRED
OMITTED: Final = Missing.OMITTED


class Moment(Protocol):
    """What a call may know of the execution it is made in, beside its arguments."""

    @property
    def event(self) -> PostLoginEvent:
        """The event, shared by the executions of the flow; not to be written to."""

    @property
    def clock_ns(self) -> int:
        """The execution's clock, nanoseconds since the epoch."""

    @property
    def continues(self) -> bool:
        """Does the action define on_continue_post_login?"""

    @property
    def records(self) -> Mapping[str, tuple[str, int]]:
        """The trigger's cache as it is by now: key -> value, and its expiry in milliseconds since the epoch."""

    def perform(self, op: str, args: dict[str, Any]) -> bool:
        """Record a command for a call that answers at once; False when the execution has too many already."""


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """One parameter. An OMITTED one that is given as None counts as not given."""

    name: str
    kind: Kind
    default: Missing = REQUIRED
    keyword_only: bool = False
    aliases: tuple[str, ...] = ()
    doc: str = ""


def option(name: str, kind: Kind, doc: str) -> Param:
    """Return a parameter that is given by its name, or left out."""
    return Param(name, kind, OMITTED, keyword_only=True, doc=doc)


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling on what the commands of one login say together.

    `max_bytes` is of compact JSON in UTF-8. When `counted` names an argument, the commands set, delete (no value) or
    clear (no such argument) the entries of a mapping, and it is the mapping they leave that counts.
    """

    name: str
    max_bytes: int | None = None
    counted: str = ""
    max_counted: int | None = None
    max_calls: int | None = None


class BoundParam(NamedTuple):
    """A parameter as `bind` reads it, once for each argument of each call."""

    name: str
    check: Callable[[Any, str], Any]
    where: str
    required: bool
    position: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operation of the api.

    `op` is the group and the Python name. `ends` says how the flow ends when the action returns: a denial is final, a
    suspended flow waits for the user, on a `page` or at a factor. `rule` checks arguments against each other and
    returns what is wrong, or nothing. All arguments together spend the `budget`. `needs` says, on the author's side
    only, what the call lacks to make sense, or nothing; `fits` the same of its arguments at this moment. A `live`
    call changes what the event shows to this action and to later ones. A `continue_only` call belongs into
    on_continue_post_login. A call with an `answer` is a query: it takes the moment and the arguments, returns what
    `returns` names, and records nothing but a `command`, which the daemon checks.
    """

    op: str
    params: tuple[Param, ...]
    doc: str
    since: str = "1.0"
    ends: Literal["", "deny", "suspend"] = ""
    rule: Callable[[dict[str, Any]], str] | None = None
    budget: Budget | None = None
    needs: Callable[[Moment], str] | None = None
    fits: Callable[[Moment, dict[str, Any]], str] | None = None
    page: bool = False
    live: bool = False
    continue_only: bool = False
    answer: Callable[[Moment, dict[str, Any]], Any] | None = None
    returns: str = "Api"
    command: Call | None = None
    positional: tuple[Param, ...] = field(init=False, repr=False)
    required: tuple[str, ...] = field(init=False, repr=False)
    keywords: dict[str, Param] = field(init=False, repr=False)
    by_name: dict[str, Param] = field(init=False, repr=False)
    bound_by_position: tuple[BoundParam, ...] = field(init=False, repr=False)
    """What `bind` needs of each positional parameter; `bound_by_keyword` has all of them, by keyword."""
    bound_by_keyword: dict[str, BoundParam] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_name = {param.name: param for param in self.params}
        keywords = dict(by_name)
        for param in self.params:
            keywords.update(dict.fromkeys((camel(param.name), *param.aliases), param))
        object.__setattr__(self, "positional", tuple(param for param in self.params if not param.keyword_only))
        object.__setattr__(self, "required", tuple(param.name for param in self.params if param.default is REQUIRED))
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "keywords", keywords)
        # Those that are given by position come first.
        ordered = sorted(self.params, key=lambda param: param.keyword_only)
        made = {
            param.name: BoundParam(
                param.name, param.kind.check, f"api.{self.op}: {param.name}", param.default is REQUIRED, position
            )
            for position, param in enumerate(ordered)
        }
        object.__setattr__(self, "bound_by_position", tuple(made[param.name] for param in self.positional))
        object.__setattr__(self, "bound_by_keyword", {name: made[param.name] for name, param in keywords.items()})

    @property
    def recorded(self) -> Call | None:
        """The call as a worker reports it; None for what is not reported."""
        return self if self.answer is None else self.command

    @property
    def carried(self) -> bool:
        """Must later executions of the flow know of it?"""
        return self.live or self.budget is not None

    @property
    def group(self) -> str:
        """The attribute of `api` that the call lives under."""
        return self.op.partition(".")[0]

    @property
    def name(self) -> str:
        """The call's own name."""
        return self.op.partition(".")[2]


def bind(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match an author's arguments with the parameters of a call and copy them.

    Args:
        call: the entry of the table.
        args: as given; hostile.
        kwargs: as given; hostile. Python's and Auth0's spelling of a name are both accepted.

    Returns:
        The arguments by Python name, as given at this moment and owned by the caller; omitted ones are absent.

    Raises:
        TypeError: an argument is missing, unknown, given twice or of the wrong type.
        ValueError: the type is right and the value is not.
    """
    positional = call.positional
    if len(args) > len(positional):
        # Auth0's shape: enable("any", {"allowRememberBrowser": True}).
        if len(args) == len(positional) + 1 and len(positional) < len(call.params) and type(args[-1]) in DICTS:
            args, kwargs = args[:-1], _merge_options(call, args[-1], kwargs)
        else:
            _refuse_count(call, len(args))
    bound: dict[str, Any] = {}
    for (name, check, where, required, _), value in zip(call.bound_by_position, args):  # noqa: B905  fewer is usual
        if value is not None or required:
            bound[name] = check(value, where)
    for keyword, value in kwargs.items():
        slot = call.bound_by_keyword.get(keyword) if type(keyword) is str else None
        if slot is None:
            _refuse_keyword(call, keyword)
        name, check, where, required, position = slot
        if name in bound or position < len(args):
            raise TypeError(f"{where} is given twice")
        if value is not None or required:
            bound[name] = check(value, where)
    for name in call.required:
        if name not in bound:
            raise TypeError(f"api.{call.op}: {name} is missing; write {signature(call)}")
    if call.rule is not None and (fault := call.rule(bound)):
        raise ValueError(f"api.{call.op}: {fault}")
    return bound


def signature(call: Call) -> str:
    """Write a call as an author would: `api.access.deny(reason, detail=...)`."""
    words: list[str] = []
    star = False
    for param in call.params:
        if param.keyword_only and not star:
            words.append("*")
            star = True
        words.append(param.name if param.default is REQUIRED else f"{param.name}=...")
    return f"api.{call.op}({', '.join(words)})"


def _merge_options(call: Call, options: dict[Any, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    keyword_only = {name for name, param in call.keywords.items() if param.keyword_only}
    for name in options:
        if type(name) is not str or name not in keyword_only:
            _refuse_keyword(call, name)
        if name in kwargs:
            raise TypeError(f"api.{call.op}: {name} is given twice")
    return {**options, **kwargs}


def _refuse_count(call: Call, given: int) -> NoReturn:
    wanted = len(call.positional)
    plural = "" if wanted == 1 else "s"
    raise TypeError(f"api.{call.op} takes {wanted} positional argument{plural}; got {given}; write {signature(call)}")


def _refuse_keyword(call: Call, name: Any) -> NoReturn:
    hint = (did_you_mean(name, call.keywords) if type(name) is str else "") or f"; write {signature(call)}"
    raise TypeError(f"api.{call.op} has no argument {shown(name)}{hint}")
