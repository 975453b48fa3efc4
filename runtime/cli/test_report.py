"""What `vestibule test` prints: for a person, for a program, for a pipeline that reads JUnit's XML.

Knows results. Must not know how cases are run, nor exit codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree import ElementTree

from runtime.cli.decision_text import details, headline
from runtime.cli.output import Colour, plural, say, say_json
from runtime.suites.coverage_report import CoverageReport
from runtime.suites.running import CaseResult

Results = Sequence[CaseResult]


def text(results: Results, coverage: CoverageReport | None, took_s: float) -> None:
    """Print each case that failed, with what was decided, and how many passed."""
    failed = [result for result in results if result.misses]
    for result in failed:
        say(f"{result.case.where}: FAILED {result.case.name}", Colour.RED)
        for miss in result.misses:
            say(f"  {miss}")
        if result.decisions:
            say(f"  decided: {headline(result.decisions[-1])}")
            for line in details(result.decisions[-1]):
                say(f"    {line}")
        say()
    for line in coverage.table if coverage is not None else ():
        say(line)
    suites = plural(len({result.case.suite for result in results}), "suite")
    if failed:
        say(f"{len(failed)} of {plural(len(results), 'case')} in {suites} failed, {took_s:.1f} s", Colour.RED)
    else:
        say(f"{plural(len(results), 'case')} in {suites} passed, {took_s:.1f} s", Colour.GREEN)


def as_json(results: Results, coverage: CoverageReport | None, took_s: float) -> None:
    """Print one JSON object."""
    from google.protobuf import json_format

    failed = sum(bool(result.misses) for result in results)
    shown = {
        "ok": not failed,
        "passed": len(results) - failed,
        "failed": failed,
        "seconds": round(took_s, 3),
        "cases": [
            {
                "suite": result.case.suite,
                "name": result.case.name,
                "where": result.case.where,
                "ok": not result.misses,
                "misses": [{"where": miss.where, "message": miss.message} for miss in result.misses],
                "seconds": round(result.took_s, 6),
                # What was decided is of interest where it was not wanted.
                "decisions": [json_format.MessageToDict(each) for each in result.decisions if result.misses],
            }
            for result in results
        ],
    }
    if coverage is not None:
        shown["coverage"] = {"percent": round(coverage.total, 2), "files": coverage.files}
    say_json(shown, indent=2)


def junit(results: Results, coverage: CoverageReport | None, took_s: float) -> None:
    """Print JUnit's XML. Source: the schema that Jenkins, GitLab and pytest share."""
    failures = str(sum(bool(result.misses) for result in results))
    root = ElementTree.Element("testsuites", tests=str(len(results)), failures=failures, time=f"{took_s:.3f}")
    by_suite: dict[str, list[CaseResult]] = {}
    for result in results:
        by_suite.setdefault(result.case.suite, []).append(result)
    for name, cases in by_suite.items():
        suite = ElementTree.SubElement(
            root, "testsuite", name=name, tests=str(len(cases)),
            failures=str(sum(bool(result.misses) for result in cases)),
            time=f"{sum(result.took_s for result in cases):.3f}",
        )  # fmt: skip
        for result in cases:
            _, line, _ = result.case.where.rsplit(":", 2)
            case = ElementTree.SubElement(
                suite, "testcase", classname=name, name=result.case.name, file=name, line=line,
                time=f"{result.took_s:.6f}",
            )  # fmt: skip
            if result.misses:
                failure = ElementTree.SubElement(case, "failure", message=result.misses[0].message)
                decided = [f"decided: {headline(each)}" for each in result.decisions[-1:]]
                failure.text = "\n".join([*map(str, result.misses), *decided])
    if coverage is not None:
        properties = ElementTree.SubElement(root, "properties")
        ElementTree.SubElement(properties, "property", name="coverage", value=f"{coverage.total:.2f}")
    ElementTree.indent(root)
    say('<?xml version="1.0" encoding="utf-8"?>')
    for line in ElementTree.tostring(root, encoding="unicode").split("\n"):
        say(line)


FORMS: Final[dict[str, Callable[[Results, CoverageReport | None, float], None]]] = {
    "text": text,
    "json": as_json,
    "junit": junit,
}
