"""The few values of an event that api calls change at once, for the same action and for the later ones of its flow.

Knows how such a command changes what the event shows, and the limits that depend on what is there already. Must not
know any other command.

The state of a flow is the list of its earlier commands of this sort: a later action, or another worker after the
first one was lost, replays them on a view of its own, so there is nothing else to keep, to send or to get wrong.
Beside them stands what the flow has spent of its budgets, which follows from its commands too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox.action.event import Event
from sandbox.action.event_data import struct_data
from sandbox.action.views import View
from sandbox.contract.call import Call
from sandbox.contract.calls.metadata import TRANSACTION_BYTES
from sandbox.contract.calls.session import METADATA_ENTRIES
from sandbox.contract.frozen import EventDict, frozen, frozen_dict
from sandbox.contract.spending import Spending
from sandbox.contract.values import json_bytes

Recorded = tuple[str, dict[str, Any]]
"""A command as it is recorded: operation and arguments, without the cost of an object for each call."""

_NO_RECORDS: Final[Mapping[str, tuple[str, int]]] = {}
_NOTHING_SPENT: Final = Spending()
_METADATA: Final = {"session": "session", "refresh_token": "refresh token"}


def _path(owner: str) -> str:
    return f"event.{owner}.metadata"


class FlowState:
    """What the executions of a flow leave to the later ones, and the cache's records as they were before the flow."""

    __slots__ = ("live", "records", "spending")

    def __init__(self, records: Mapping[str, tuple[str, int]] | None = None) -> None:
        self.records = _NO_RECORDS if records is None else records
        self.live: list[Recorded] = []
        # Never changed in place: each execution works on a copy.
        self.spending = _NOTHING_SPENT

    def replay(self, call: Call, command: Recorded) -> None:
        """Take over a command of an execution that another worker ran."""
        if call.live:
            self.live.append(command)
        self.spending = self.spending.copy()
        self.spending.spend(call, command[1])


class Draft:
    """What one execution, and those before it, made of the event's changing values; a view of the event follows."""

    __slots__ = ("_primary_user", "_records", "_stored", "_view")

    def __init__(self, view: Event, flow: FlowState) -> None:
        """Begin with what the flow's earlier executions did."""
        self._view = view
        self._records = dict(flow.records)
        # Owner of the metadata -> what is stored, apart from the dict that tenant code can reach.
        self._stored: dict[str, dict[str, Any]] = {}
        self._primary_user = False
        for command in flow.live:
            self.apply(command)

    @property
    def records(self) -> Mapping[str, tuple[str, int]]:
        """The cache as it is by now: key -> value and expiry."""
        return self._records

    def fault(self, command: Recorded) -> str:
        """Say why a command cannot be carried out after the earlier ones, or nothing."""
        op, args = command
        owner, _, name = op.partition(".")
        if op == "authentication.set_primary_user":
            return "the primary user was set already; it can be set once in a login" if self._primary_user else ""
        if name != "set_metadata" or args["value"] is None:
            return ""
        after = {**self._of(owner), args["key"]: args["value"]}
        if owner == "transaction":
            if (size := json_bytes(after)) > TRANSACTION_BYTES:
                return f"the transaction metadata must be at most {TRANSACTION_BYTES} bytes as JSON; this makes {size}"
        elif len(after) > METADATA_ENTRIES:
            return f"the {_METADATA[owner]} metadata must have at most {METADATA_ENTRIES} entries"
        return ""

    def apply(self, command: Recorded) -> None:
        """Carry a command out on the view."""
        op, args = command
        owner, _, name = op.partition(".")
        if op == "authentication.set_primary_user":
            self._primary_user = True
        elif op == "cache.set":
            self._records[args["key"]] = (args["value"], args["expires_at"])
        elif op == "cache.delete":
            self._records.pop(args["key"], None)
        elif name == "set_cookie_mode":
            self._show_cookie(args["mode"])
        else:
            self._change(owner, name, args)

    def _of(self, owner: str) -> dict[str, Any]:
        stored = self._stored.get(owner)
        if stored is None:
            # Reading an unset member answers an empty message and sets nothing.
            metadata = getattr(self._view._message, owner).metadata
            stored = self._stored[owner] = dict(struct_data(_path(owner), metadata))
        return stored

    def _change(self, owner: str, name: str, args: dict[str, Any]) -> None:
        stored = self._of(owner)
        if name == "evict_metadata":
            stored.clear()
        elif args.get("value") is None:
            stored.pop(args["key"], None)
        else:
            stored[args["key"]] = args["value"]
        self._show(owner, stored)

    def _show(self, owner: str, stored: dict[str, Any]) -> None:
        """Let tenant code see the metadata as it is now: also in the dict that it may have read before."""
        holder: View | None = getattr(self._view, owner)
        if holder is None:
            if owner != "transaction":
                return
            # Source: post-login reference, 2.21: the transaction comes into being.
            holder = self._put(self._view, "transaction", self._view._message.transaction)
        shown: EventDict | None = holder.metadata
        if shown is None:
            shown = holder._cache["metadata"] = frozen_dict({}, _path(owner))
        # Its own methods refuse to change it.
        dict.clear(shown)
        dict.update(shown, {key: frozen(value, _path(owner)) for key, value in stored.items()})

    def _show_cookie(self, mode: str) -> None:
        session: View | None = self._view.session
        if session is not None:
            # The event itself is shared by the executions of the flow: it is never written to.
            cookie = type(session._message.cookie)()
            cookie.CopyFrom(session._message.cookie)
            cookie.mode = mode
            self._put(session, "cookie", cookie)

    def _put(self, parent: View, name: str, message: Any) -> View:
        below = type(parent)._below_[name]
        if not isinstance(below, type):
            raise TypeError(name)
        view = parent._cache[name] = below(message)
        return view
