"""Reads a suite: from text to cases that are complete, with every fault at its place.

Knows how a case follows from what it names and extends. Must not know how a case is run or compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from runtime.catalog import yaml_file
from runtime.catalog.base import Definition
from runtime.errors import CatalogError, Fault, InvalidRequest
from runtime.login import event_json
from runtime.offline.event_line import Line
from runtime.suites import schema, values
from runtime.suites.tenants import CaseTenants, Unbound
from runtime.suites.wrong import explained
from sandbox.contract.did_you_mean import did_you_mean

MAX_BYTES: Final = 1 << 20
"""Of a suite: room for two thousand cases."""
# Members of a case that are laid over those of the case it extends; of all others, its own replace them.
_LAID_OVER: Final = frozenset({"event", "gateway", "settings", "secrets", "actions"})
_LIKE: Final = 0.6
_FIELD: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Text = Callable[[str], str]
"""Returns the text of a suite by its file's name. Raises: CatalogError."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One request of a gateway, and the decision that it is to get."""

    path: yaml_file.Path
    begins: bool
    event: Mapping[str, Any]
    gateway: Mapping[str, Any] | None
    completed: Sequence[str]
    page: Mapping[str, Any] | None
    form: Mapping[str, Any] | None
    now: str | None
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One login through a tenant's flow, and what follows. `now` is None when any instant will do."""

    suite: str
    name: str
    document: yaml_file.Document
    path: yaml_file.Path
    tenant: Definition
    legs: Sequence[Leg]
    now: str | None
    seed: int | str
    exact: bool

    @property
    def where(self) -> str:
        """Return the place of the case, as `file:line:column`."""
        return self.document.where(self.path)

    @property
    def clock(self) -> datetime:
        """Return the instant of the first request."""
        return values.moment(self.now or values.NOW, datetime.fromisoformat(values.NOW))


@dataclass(slots=True)
class _File:
    """A suite, or one that others extend. `value` has every name and setting that it extends."""

    document: yaml_file.Document
    value: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)


class SuiteReader:
    """Reads the suites of one folder."""

    def __init__(self, label: str, text: Text, tenants: CaseTenants) -> None:
        """Make a reader.

        Args:
            label: the folder, as its author knows it.
            text: how a file is read.
            tenants: whose flow the cases run.
        """
        self._label = label
        self._text = text
        self._tenants = tenants
        self._files: dict[str, _File | None] = {}

    def read(self, name: str) -> list[Case]:
        """Return the cases of a suite. Raises: CatalogError, with every fault of it and of what it extends."""
        file = self._file(name, ())
        if file is None:
            raise CatalogError([Fault(f"{self._label}/{name}", "extends itself; remove one `extends`")])
        if file.faults:
            raise CatalogError(file.faults)
        reading = _Cases(file.document, file.value, self._tenants)
        cases = reading.all()
        if reading.faults:
            raise CatalogError(_ordered(file.document, reading.faults))
        return cases

    def _file(self, name: str, above: tuple[str, ...]) -> _File | None:
        """Read a file once; None for one that is being read."""
        if name in above:
            return None
        known = self._files.get(name)
        if known is not None:
            return known
        document = yaml_file.parse(f"{self._label}/{name}", self._text(name), aliases=True)
        value = document.value
        file = _File(document, value if isinstance(value, dict) else {}, list(document.faults))
        if () not in document.broken:
            file.faults += explained(document, value)
        parent = file.value.get("extends")
        if isinstance(parent, str) and re.fullmatch(schema.FILE_NAME, parent):
            self._extend(file, name, parent, above)
        file.faults = _ordered(document, file.faults)
        self._files[name] = file
        return file

    def _extend(self, file: _File, name: str, parent: str, above: tuple[str, ...]) -> None:
        try:
            base = self._file(parent, (*above, name))
        except CatalogError as error:
            file.faults.append(file.document.fault(("extends",), f"{parent} cannot be used: {error.faults[0].message}"))
            return
        if base is None:
            circle = above[above.index(parent) :] if parent in above else ()
            chain = " -> ".join((*circle, name, parent))
            file.faults.append(file.document.fault(("extends",), f"{chain} is a circle; remove one `extends`"))
            return
        file.faults += base.faults
        shared = {key: said for key, said in base.value.items() if key not in ("cases", "extends")}
        own = {key: said for key, said in file.value.items() if key not in ("cases", "extends")}
        file.value = values.combined(shared, own) | {"cases": file.value.get("cases", [])}


def _ordered(document: yaml_file.Document, faults: Sequence[Fault]) -> list[Fault]:
    """Sort the faults of one file by their place; those of others stand first."""

    def place(fault: Fault) -> tuple[int, ...]:
        if not fault.where.startswith(document.file):
            return (-1,)
        return tuple(int(part) for part in fault.where.removeprefix(document.file).split(":") if part.isdigit())

    return sorted(dict.fromkeys(faults), key=place)


class _Cases:
    """The cases of one suite whose form is right."""

    def __init__(self, document: yaml_file.Document, value: dict[str, Any], tenants: CaseTenants) -> None:
        self._document = document
        self._value = value
        self._tenants = tenants
        self.faults: list[Fault] = []
        self._named = {kind: self._resolved((kind,), value.get(kind, {}), None) for kind in schema.NAMED}

    def _fault(self, path: yaml_file.Path, message: str) -> None:
        self.faults.append(self._document.fault(path, message))

    def all(self) -> list[Case]:
        """Return every case; what is wrong is in `faults`."""
        for kind, member in zip(schema.NAMED, ("user", "client", "request"), strict=True):
            for name in self._value.get(kind, {}):
                self._misspelt((kind, name), {member: self._named[kind].get(name, {})})
        raw = self._value.get("cases") or []
        places: dict[str, int] = {}
        for at, case in enumerate(raw):
            first = places.get(case["name"])
            if first is not None:
                line = self._document.places.get(("cases", first), (0, 0))[0]
                self._fault(("cases", at, "name"), f"{case['name']!r} is the name of the case on line {line} too")
            # A second one is read for its faults, by a name that nothing extends.
            places[case["name"] if first is None else f"{at}\0"] = at
        whole = self._resolved(("cases",), {name: raw[at] for name, at in places.items()}, places)
        found = [self._case(("cases", at), whole[name]) for name, at in places.items()]
        return [case for case in found if case is not None]

    def _resolved(
        self, path: yaml_file.Path, entries: Mapping[str, dict[str, Any]], places: Mapping[str, int] | None
    ) -> dict[str, dict[str, Any]]:
        """Lay each entry over the one that it extends; one fault for each circle."""
        done: dict[str, dict[str, Any]] = {}

        def of(name: str, above: tuple[str, ...]) -> dict[str, Any]:
            if name in done:
                return done[name]
            here = (*path, name if places is None else places[name], "extends")
            own = {key: said for key, said in entries[name].items() if key != "extends"}
            parent = entries[name].get("extends")
            if not isinstance(parent, str):
                found = own
            elif parent in above or parent == name:
                circle = above[above.index(parent) :] if parent in above else ()
                chain = " -> ".join((*circle, name, parent))
                self._fault(here, f"{chain} is a circle; remove one `extends`")
                found = own
            elif parent not in entries:
                self._fault(here, f"there is no {parent!r} to extend{did_you_mean(parent, entries, _LIKE)}")
                found = own
            else:
                found = _laid_over(of(parent, (*above, name)), own, cases=places is not None)
            done[name] = found
            return found

        for name in entries:
            of(name, ())
        return done

    def _case(self, path: yaml_file.Path, case: Mapping[str, Any]) -> Case | None:
        before = len(self.faults)
        shared = {key: self._value[key] for key in schema.SharedSection.model_fields if key in self._value}
        case = _laid_over(shared, case, cases=True)
        event = self._event(values.base(case.get("base") or values.BASES[0]), case, path)
        if "expect" not in case:
            self._fault(path, "expects nothing; add `expect`, for example `expect: {outcome: allow}`")
        first = {"expect": case.get("expect", {}), "gateway": case.get("gateway")}
        now, clock = case.get("now"), datetime.fromisoformat(values.NOW)
        legs = [self._leg(path, first, event, values.moment(now or values.NOW, clock))]
        for at, leg in enumerate(case.get("then") or ()):
            here = (*path, "then", at)
            event = self._event(event, leg, here)
            legs.append(self._leg(here, leg, event, values.moment(now or values.NOW, clock)))
        try:
            tenant = self._tenants.of(case)
        except Unbound as error:
            self._fault((*path, "flow") if "flow" in case else path, str(error))
            return None
        if len(self.faults) > before:
            return None
        return Case(
            self._document.file, case["name"], self._document, path, tenant, legs, now, case.get("seed", 1),
            bool(case.get("exact")),
        )  # fmt: skip

    def _leg(self, path: yaml_file.Path, said: Mapping[str, Any], event: Mapping[str, Any], now: datetime) -> Leg:
        """Make a request, and hold its event to what every event must be."""
        asked: dict[str, Any] = {"event": values.rendered(event, now), "now": now.isoformat()}
        if said.get("gateway") is not None:
            asked["gateway"] = values.gateway(said["gateway"], now)
        try:
            Line(asked, secrets_of=None)
        except InvalidRequest as error:
            inner = tuple(int(index) if index else name for name, index in _FIELD.findall(error.field))
            self._fault((*path, *inner), error.description)
        return Leg(
            path, bool(said.get("begins")), event, said.get("gateway"), said.get("completed", ()), said.get("page"),
            said.get("form"), said.get("now"), said["expect"],
        )  # fmt: skip

    def _event(self, under: Mapping[str, Any], said: Mapping[str, Any], path: yaml_file.Path) -> dict[str, Any]:
        """Lay what a request says over an event: users and clients are whole, the rest is laid over."""
        event = dict(under)
        for kind, member in zip(schema.NAMED, ("user", "client", "request"), strict=True):
            given = said.get(member)
            if given is None:
                continue
            if isinstance(given, str):
                if given not in self._named[kind]:
                    known = self._value.get(kind, {})
                    there = f"; known here are {', '.join(known)}" if known else f"; add it to `{kind}`"
                    self._fault((*path, member), f"there is no {given!r}{there}{did_you_mean(given, known, _LIKE)}")
                    continue
                given = self._named[kind][given]
            else:
                self._misspelt((*path, member), {member: given})
            event = values.overlay(event, {member: given}) if member == "request" else event | {member: given}
        own = said.get("event", {})
        self._misspelt((*path, "event"), own, inside=())
        return values.overlay(event, own)

    def _misspelt(self, path: yaml_file.Path, event: Any, inside: yaml_file.Path | None = None) -> None:
        """Note members that no event has. `path` is that of the event, or of the one member that there is."""
        for found, message in event_json.misspelt(event, strict=True):
            self._fault((*path, *(found if inside is not None else found[1:])), message)


def _laid_over(under: Mapping[str, Any], own: Mapping[str, Any], *, cases: bool) -> dict[str, Any]:
    if not cases:
        return values.combined(under, own)
    merged = dict(under)
    for name, said in own.items():
        below = merged.get(name)
        if name in _LAID_OVER and isinstance(said, dict) and isinstance(below, dict):
            said = values.combined(below, said)
        merged[name] = said
    return merged
