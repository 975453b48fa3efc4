"""How findings are printed: for a reader, for a program, and for the services that show them beside the code.

Must not know how anything is found. Whatever comes from a source or a file's name is escaped as its format asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

from runtime.cli.output import complain, say, say_json
from runtime.errors import Fault
from runtime.findings import SourceFinding, code_of, described, excerpt, is_warning, place_of
from runtime.ops.printable import printable
from sandbox.contract import checks_page
from sandbox.contract.codes import CODES

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
# GitHub counts lines from 1, and takes a finding of a whole file for one of its first line.
_LEVELS: Final = {True: "warning", False: "error"}


def code(fault: Fault) -> str:
    """Return what a line ends with that names the code, where a check has given it one."""
    return f" [{fault.code}]" if isinstance(fault, SourceFinding) else ""


def warn(warnings: Sequence[Fault]) -> None:
    """Print what is worth a look and stops nothing, to standard error."""
    for warning in warnings:
        complain(f"vestibule: warning: {warning}{code(warning)}")
        for line in excerpt(warning):
            complain(line)


def as_json(faults: Sequence[Fault], warnings: Sequence[Fault]) -> dict[str, Any]:
    """Return what `--format json` prints."""
    return {
        "ok": not faults,
        "faults": [described(fault) for fault in faults],
        "warnings": [described(warning) for warning in warnings],
    }


def _text(faults: Sequence[Fault], warnings: Sequence[Fault], _checked: Sequence[str]) -> None:
    for fault in faults:
        say(f"{fault}{code(fault)}")
        for line in excerpt(fault):
            say(line)
    warn(warnings)


def _json(faults: Sequence[Fault], warnings: Sequence[Fault], _checked: Sequence[str]) -> None:
    say_json(as_json(faults, warnings), indent=2)


def _github(faults: Sequence[Fault], warnings: Sequence[Fault], _checked: Sequence[str]) -> None:
    """Workflow commands. Source: GitHub's documentation, "Workflow commands for GitHub Actions"."""
    for at, fault in enumerate((*faults, *warnings)):
        found = described(fault)
        members = {
            "file": found["file"],
            "line": found["line"],
            "col": found["column"],
            "endLine": found["end_line"],
            "endColumn": found["end_column"],
            "title": found["code"],
        }
        shown = ",".join(f"{name}={_property(str(value))}" for name, value in members.items() if value)
        say(f"::{_LEVELS[at >= len(faults)]} {shown}::{_data(fault.message)}")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _sarif(faults: Sequence[Fault], warnings: Sequence[Fault], _checked: Sequence[str]) -> None:
    """SARIF. Source: OASIS, Static Analysis Results Interchange Format 2.1.0.

    Its helpUri is an absolute URI, and the author's page of checks has none: a rule has its section itself, as help.
    """
    found = (*faults, *warnings)
    used = sorted({code_of(fault) for fault in found})
    rules = [
        {
            "id": name,
            "shortDescription": {"text": CODES[name].title},
            "fullDescription": {"text": CODES[name].why},
            "help": {"text": f"vestibule check --explain {name}", "markdown": checks_page.section(name)},
            "defaultConfiguration": {"level": _LEVELS[CODES[name].warning]},
        }
        for name in used
    ]
    results = [
        {
            "ruleId": code_of(fault),
            "ruleIndex": used.index(code_of(fault)),
            "level": _LEVELS[at >= len(faults)],
            "message": {"text": fault.message},
            "locations": [{"physicalLocation": _location(fault)}],
        }
        for at, fault in enumerate(found)
    ]
    driver = {"name": "vestibule check", "rules": rules}
    run = {"tool": {"driver": driver}, "results": results}
    say_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _location(fault: Fault) -> dict[str, Any]:
    found = described(fault)
    location: dict[str, Any] = {"artifactLocation": {"uri": found["file"].replace("\\", "/")}}
    if found["line"]:
        region = {"startLine": found["line"], "startColumn": found["column"] or 1}
        if found["end_line"]:
            region |= {"endLine": found["end_line"], "endColumn": found["end_column"]}
        location["region"] = region
    return location


def _junit(faults: Sequence[Fault], warnings: Sequence[Fault], checked: Sequence[str]) -> None:
    """One test for each file; a fault fails it, a warning is its output."""
    files = dict.fromkeys((*checked, *(place_of(fault).file for fault in (*faults, *warnings))))
    failed = {place_of(fault).file for fault in faults}
    suite = ElementTree.Element(
        "testsuite", name="vestibule check", tests=str(len(files)), failures=str(len(failed)), errors="0", skipped="0"
    )
    for file in files:
        case = ElementTree.SubElement(suite, "testcase", classname="vestibule.check", name=printable(file))
        for kind, found in (("failure", faults), ("system-out", warnings)):
            lines = [line for fault in found if place_of(fault).file == file for line in _lines(fault)]
            if lines:
                element = ElementTree.SubElement(case, kind)
                if kind == "failure":
                    element.set("message", lines[0])
                element.text = "\n".join(lines)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    for line in ElementTree.tostring(root, encoding="unicode").split("\n"):
        say(line)


def _lines(fault: Fault) -> list[str]:
    severity = "warning: " if is_warning(fault) else ""
    return [printable(line) for line in (f"{severity}{fault}{code(fault)}", *excerpt(fault))]


FORMATS: Final[dict[str, Callable[[Sequence[Fault], Sequence[Fault], Sequence[str]], None]]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
}
"""Each takes the faults, the warnings and the files that were checked."""
