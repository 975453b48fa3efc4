"""The shape of an api call, and how an author's arguments are matched with it.

Knows calls and parameters in general. Must not know any particular call: those are the table in
`sandbox.contract.surface`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Protocol

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.values import Kind, camel, json_bytes, json_items, shown

if TYPE_CHECKING:
    from vestibule.v1.event_pb2 import PostLoginEvent


ITEMS_MAX: Final = 1000
"""Members of lists and dicts in all calls of a login. The reference counts bytes only; but the daemon reads an item in
a microsecond or two, and every other login waits meanwhile. So it does for a call, in some ten."""
LOGIN_COMMANDS_MAX: Final = 300
"""Calls of all executions of a login."""


class Effect(StrEnum):
    """What a command means for the decision."""

    REQUIRE_FACTOR = "require_factor"
    PRESENT_FACTOR = "present_factor"
    SHOW_PAGE = "show_page"
    RECORD_METHOD = "record_method"
    WRITE_CACHE = "write_cache"
    DENY = "deny"
    SET_METADATA = "set_metadata"
    SET_CLAIM = "set_claim"
    SET_SCOPE = "set_scope"
    CHANGE_SESSION = "change_session"
    CHANGE_REFRESH_TOKEN = "change_refresh_token"
    SET_TRANSACTION = "set_transaction"
    SET_USER = "set_user"
    SET_SAML = "set_saml"
    QUERY = "query"


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
        """The event, shared by the executions of the flow: nobody writes to it."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operation of the api.

    `op` is the group and the Python name. `ends` says what becomes of the flow after the action returns: a denial is
    final, a suspended flow waits for the user. `rule` checks arguments against each other and returns what is wrong, or
    nothing. `budget` is spent by all arguments together. `needs` says, on the author's side only, what is lacking for
    the call to make sense, or nothing. A `live` call changes what the event shows to this action and to later ones.
    A `continue_only` call belongs into on_continue_post_login. A call with an `answer` is a query: it takes the moment
    and the arguments, returns what `returns` names, and records nothing but a `command`, which the daemon checks.
    """

    op: str
    effect: Effect
    params: tuple[Param, ...]
    doc: str
    since: str = "1.0"
    ends: Literal["", "deny", "suspend"] = ""
    rule: Callable[[dict[str, Any]], str] | None = None
    budget: Budget | None = None
    needs: Callable[[Moment], str] | None = None
    live: bool = False
    continue_only: bool = False
    answer: Callable[[Moment, dict[str, Any]], Any] | None = None
    returns: str = "Api"
    command: Call | None = None
    positional: tuple[Param, ...] = field(init=False, repr=False)
    required: tuple[str, ...] = field(init=False, repr=False)
    keywords: dict[str, Param] = field(init=False, repr=False)
    by_name: dict[str, Param] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_name = {param.name: param for param in self.params}
        keywords = dict(by_name)
        for param in self.params:
            keywords.update(dict.fromkeys((camel(param.name), *param.aliases), param))
        object.__setattr__(self, "positional", tuple(param for param in self.params if not param.keyword_only))
        object.__setattr__(self, "required", tuple(param.name for param in self.params if param.default is REQUIRED))
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "keywords", keywords)

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
        if len(args) == len(positional) + 1 and len(positional) < len(call.params) and type(args[-1]) is dict:
            args, kwargs = args[:-1], _merge_options(call, args[-1], kwargs)
        else:
            _refuse_count(call, len(args))
    bound: dict[str, Any] = {}
    for param, value in zip(positional, args):  # noqa: B905 - fewer arguments than parameters is the usual case
        if value is not None or param.default is REQUIRED:
            bound[param.name] = param.kind.check(value, f"api.{call.op}: {param.name}")
    for name, value in kwargs.items():
        found = call.keywords.get(name) if type(name) is str else None
        if found is None:
            _refuse_keyword(call, name)
        if found.name in bound or (args and found in positional[: len(args)]):
            raise TypeError(f"api.{call.op}: {found.name} is given twice")
        if value is not None or found.default is REQUIRED:
            bound[found.name] = found.kind.check(value, f"api.{call.op}: {found.name}")
    for required in call.required:
        if required not in bound:
            raise TypeError(f"api.{call.op}: {required} is missing; write {signature(call)}")
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


class Leaving:
    """Where the calls of one execution leave the user: at one page, or at as many factors as they ask for."""

    __slots__ = ("_factor", "_page")

    def __init__(self) -> None:
        self._factor = ""
        self._page = ""

    def add(self, call: Call) -> str:
        """Note a call that suspends; return what is wrong, or nothing. A refused one is not noted.

        Source: post-login reference, 2.6 and 2.7; 3.2 for a page beside a factor, by which users could skip the factor.
        """
        if self._page:
            return f"this execution called api.{self._page} before, and the user can be at one place only"
        if call.effect is not Effect.SHOW_PAGE:
            self._factor = self._factor or call.op
        elif self._factor:
            return f"this execution called api.{self._factor} before; show the page in an action after this one"
        else:
            self._page = call.op
        return ""


class Spending:
    """What a login has spent: of the budgets of its calls, and of calls and items as such."""

    __slots__ = ("_calls", "_entries", "_spent", "commands", "items")

    def __init__(self) -> None:
        self.commands = 0
        self.items = 0
        self._spent: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._entries: dict[str, dict[str, int]] = {}

    def copy(self) -> Spending:
        """Return one to go on with, for an execution that may fail and then has spent nothing."""
        copy = Spending()
        copy.commands, copy.items = self.commands, self.items
        if self._spent:
            copy._spent = dict(self._spent)
        if self._calls:
            copy._calls = dict(self._calls)
        if self._entries:
            copy._entries = {name: dict(entries) for name, entries in self._entries.items()}
        return copy

    def spend(self, call: Call, args: dict[str, Any]) -> str:
        """Count a command; return what is wrong, or nothing. A refused command is not counted."""
        if self.commands == LOGIN_COMMANDS_MAX:
            return f"one login can make at most {LOGIN_COMMANDS_MAX} calls in all of its actions"
        items = self.items + json_items(args) - len(args)
        if items > ITEMS_MAX:
            return (
                f"the calls of one login must hold at most {ITEMS_MAX} items of lists and dicts, claims and metadata "
                f"together; this makes {items}: set fewer members, or write a long list as one text"
            )
        if call.budget is not None and (fault := self._budgeted(call.budget, args)):
            return fault
        self.commands += 1
        self.items = items
        return ""

    def _budgeted(self, budget: Budget, args: dict[str, Any]) -> str:
        if budget.max_calls is not None:
            calls = self._calls.get(budget.name, 0)
            if calls == budget.max_calls:
                return f"the {budget.name} can be set {calls} time{'' if calls == 1 else 's'} in one login"
            self._calls[budget.name] = calls + 1
        if budget.counted:
            return self._enter(budget, args)
        if budget.max_bytes is not None:
            total = self._spent.get(budget.name, 0) + sum([json_bytes(value) for value in args.values()])
            if total > budget.max_bytes:
                return _too_long(budget, total)
            self._spent[budget.name] = total
        return ""

    def _enter(self, budget: Budget, args: dict[str, Any]) -> str:
        entries = self._entries.setdefault(budget.name, {})
        key = args.get(budget.counted)
        if key is None:
            entries.clear()
        elif args.get("value") is None:
            entries.pop(key, None)
        else:
            if budget.max_counted is not None and key not in entries and len(entries) >= budget.max_counted:
                return f"the {budget.name} of one login must have at most {budget.max_counted} entries"
            # Quotes are in the sizes; a colon and a comma come with each entry, and two braces for one comma too few.
            size = json_bytes(key) + json_bytes(args["value"]) + 2
            total = sum(entries.values()) - entries.get(key, 0) + size + 1
            if budget.max_bytes is not None and total > budget.max_bytes:
                return _too_long(budget, total)
            entries[key] = size
        return ""


def _too_long(budget: Budget, total: int) -> str:
    limit = f"the {budget.name} of one login must be at most {budget.max_bytes} bytes as JSON"
    return f"{limit}; this makes {total}"
