"""What the calls of one execution, and of one login, may ask for together."""

from __future__ import annotations

from typing import Any, Final

from sandbox.contract.call import Budget, Call
from sandbox.contract.values import json_bytes, json_items

ITEMS_MAX: Final = 1000
"""Members of lists and dicts in all calls of a login. The reference counts bytes only; but the daemon reads an item in
a microsecond or two, and every other login waits meanwhile. So it does for a call, in some ten."""
LOGIN_COMMANDS_MAX: Final = 300
"""Calls of all executions of a login."""


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
        if not call.page:
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
        """Return a copy for an execution that may fail and then has spent nothing."""
        copy = Spending.__new__(Spending)
        copy.commands, copy.items = self.commands, self.items
        copy._spent, copy._calls, copy._entries = self._spent.copy(), self._calls.copy(), {}
        for name, entries in self._entries.items():
            copy._entries[name] = entries.copy()
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
            total = self._spent.get(budget.name, 0)
            for value in args.values():
                total += json_bytes(value)
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
