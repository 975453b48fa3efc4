"""A decision in a person's words: what `demo`, `run` and `test` print of it.

Knows the message of a decision. Must not know how it came about, nor write anything itself.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb

from runtime.cli.output import source_place


def word(enum: Any, value: int, prefix: str) -> str:
    name: str = enum.Name(value)
    return name.removeprefix(prefix).lower()


def outcome_word(decision: pb.Decision) -> str:
    return word(pb.Outcome, decision.outcome, "OUTCOME_")


def headline(decision: pb.Decision) -> str:
    words = [outcome_word(decision).upper().replace("_", " ")]
    factor = decision.multifactor
    if factor.provider not in (pb.PROVIDER_UNSPECIFIED, pb.PROVIDER_NONE):
        words.append(word(pb.Provider, factor.provider, "PROVIDER_").replace("_", "-"))
        words.append("by " + word(pb.Multifactor.Origin, factor.origin, "ORIGIN_"))
    if decision.HasField("suspension"):
        words.append(waits_for(decision.suspension))
    if decision.HasField("denial"):
        words.append(f'"{decision.denial.description}"')
    if decision.degraded:
        words.append("(degraded)")
    return " ".join(words)


def waits_for(suspension: pb.Suspension) -> str:
    step = suspension.WhichOneof("step")
    if step == "redirect":
        return "redirect to " + suspension.redirect.url.partition("?")[0]
    if step == "prompt":
        return f"form {suspension.prompt.id}"
    screens = [
        " or ".join([word(pb.Factor, f.factor, "FACTOR_").replace("_", "-") for f in screen.factors])
        for screen in suspension.mfa.steps
    ]
    return ", then ".join(screens)


def details(decision: pb.Decision) -> list[str]:
    lines = []
    factor = decision.multifactor
    shown = [(verb, names) for verb, names in (("present", factor.challenge), ("enrol", factor.enroll)) if names]
    for verb, numbers in shown:
        names = [word(pb.Factor, number, "FACTOR_").replace("_", "-") for number in numbers]
        remembers = factor.remember not in (pb.Multifactor.REMEMBER_MODE_UNSPECIFIED, pb.Multifactor.REMEMBER_MODE_NONE)
        lines.append(f"{verb} {' or '.join(names)}; {'may remember' if remembers else 'never remembers'} the browser")
    for contribution in decision.contributions:
        won = "won" if contribution.won else "   "
        lines.append(f"{won} {contribution.action or contribution.operation}: {contribution.summary}")
    for report in decision.executions:
        if report.earlier:
            lines.append(f"    {report.action}: ran before the login waited")
        elif report.verdict == pb.VERDICT_SKIPPED:
            lines.append(f"    {report.action}: skipped")
        elif report.verdict != pb.VERDICT_COMPLETED:
            ended = word(pb.Verdict, report.verdict, "VERDICT_").upper()
            where = f" at {source_place(report.error.line, report.error.file)}" if report.error.line else ""
            lines.append(
                f"    {report.action}: {ended} after {report.wall_time.ToMicroseconds() / 1000:.1f} ms{where}: "
                f"{report.error.type}: {report.error.message}"
            )
    return lines


def answer(said: dict[str, Any]) -> list[str]:
    """Return a line of `vestibule run`: the result of one action, or the decision of a flow."""
    if "verdict" not in said:
        decision = json_format.ParseDict(said, pb.Decision())
        printed = [line for report in decision.executions for line in report.output.splitlines()]
        return [
            headline(decision),
            *[f"  {line}" for line in details(decision)],
            *[f"  printed: {line}" for line in printed],
        ]
    error = said["error"]
    where = f" at line {error['line']}" if error and error["line"] else ""
    lines = [said["verdict"].upper() + (f"{where}: {error['type']}: {error['message']}" if error else "")]
    for command in said["commands"]:
        arguments = ", ".join(f"{name}={value!r}" for name, value in command["args"].items())
        lines.append(f"  api.{command['op']}({arguments})")
    return lines + [f"  printed: {line}" for line in said["output"].splitlines()]
