"""`vestibule doctor`: which layers hold a worker on this host, asked of a real worker, and attacked on demand."""

import argparse
import asyncio
import os
import platform
from collections import Counter
from dataclasses import asdict
from typing import Any

import tzdata

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, complain, progress, say, say_json, say_table
from runtime.config import listeners
from runtime.config.effective import Config
from runtime.errors import WorkerStartError

DESCRIPTION = """\
Start a worker exactly as the daemon does, print what its lock-down reports, and let others try to break out. A required
layer that is not active is why `vestibule serve` would refuse to start; it exits with 3. With --attack every layer that
this host has is attacked by itself, all others left off, beside a control with none; and the shipped corpus of hostile
actions is run against the whole sandbox. A layer that did not hold exits with 3; an attempt that could not be made
shows nothing, and exits with 1.

With --config, or with --preflight for a configuration without a file, it also looks whether this host fits the
configuration before a daemon is started: descriptors, processes, memory, processors, the store, keys, TLS and its
expiry, and whether the ports are free. Every fault is listed at once with its remedy; one exits with 3."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--attack", action="store_true", help="attack the sandbox on this host, layer by layer")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--preflight", action="store_true", help="look whether this host fits the configuration")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Ask a worker, attack it if wanted, and print."""
    config = loaded(args).config
    report = _preflight(config) if args.preflight or args.config else asyncio.run(_report(config))
    if args.attack and report["layers"]:
        report |= asyncio.run(_attack(config, report))
        progress("")
    if args.json:
        say_json(report, indent=2)
    else:
        _print(report)
    for check in report.get("preflight", ()):
        if check["state"] != "ok":
            word = "warning: " if check["state"] == "warning" else ""
            complain(f"vestibule: {word}{check['name']}: {check['detail']}; {check['remedy']}")
    for weakness in report["insecure"]:
        complain(f"vestibule: warning: {weakness}; `insecure` allows this")
    untried = [attempt for attempt in report["attempts"] if not attempt["tried"]]
    for attempt in untried:
        complain(f"vestibule: could not be tried: {attempt['name']} ({attempt['detail']})")
    escaped = [attempt["name"] for attempt in report["attempts"] if attempt["tried"] and not attempt["contained"]]
    if escaped:
        complain(f"vestibule: a locked-down worker could: {', '.join(escaped)}")
    if report["missing"]:
        complain(f"vestibule: required and not active on this host: {', '.join(report['missing'])}")
    broken = [row for row in report.get("alone", ()) if not row["held"]]
    for row in broken:
        complain(f"vestibule: {row['layer']} by itself does not hold: {row['attempt']} ({row['detail']})")
    for escape in report.get("escapes", ()):
        complain(f"vestibule: attack {escape}")
    unfit = [check for check in report.get("preflight", ()) if check["state"] == "fault"]
    if escaped or report["missing"] or broken or report.get("escapes") or unfit:
        return Exit.CHECK_FAILED
    return Exit.UNEXPECTED if untried else Exit.OK


def _print(report: dict[str, Any]) -> None:
    zones = f"time zones of {report['time_zones']}"
    say(f"kernel {report['kernel']}, python {report['python']}, {zones}, {report['machine']}, uid {report['uid']}")
    say()
    if report["layers"]:
        _print_layers(report)
    say_table([tuple(row.values()) for row in report["ports"]], ("PORT", "ADDRESS", "REACHED BY", "TLS", "CREDENTIALS"))
    if "preflight" in report:
        say()
        checks = [(check["name"], check["state"], check["detail"]) for check in report["preflight"]]
        say_table(checks, ("CHECK", "STATE", "DETAIL"))
    if "attacks" in report:
        _print_attack(report)
    for layer in report["layers"]:
        if layer["remedy"]:
            say()
            say(f"{layer['name']} is not active. It needs: {layer['remedy']}.")


def _print_layers(report: dict[str, Any]) -> None:
    rows = [
        (layer["name"], "active" if layer["active"] else "-", "required" if layer["required"] else "", layer["detail"])
        for layer in report["layers"]
    ]
    say_table(rows, ("LAYER", "STATE", "REQUIRED", "DETAIL"))
    say()
    attempts = [(attempt["name"], _result(attempt), attempt["detail"]) for attempt in report["attempts"]]
    say_table(attempts, ("ATTEMPT", "RESULT", "DETAIL"))
    say()


def _result(attempt: dict[str, Any]) -> str:
    if not attempt["tried"]:
        return "could not be tried"
    return "contained" if attempt["contained"] else "NOT contained"


def _print_attack(report: dict[str, Any]) -> None:
    say()
    say("Each layer by itself, every other one left off; the control is the same attack with no layer at all:")
    say()
    by_layer: dict[str, list[dict[str, Any]]] = {}
    for row in report["alone"]:
        by_layer.setdefault(row["layer"], []).append(row)
    rows = [
        (
            layer,
            f"{sum(row['held'] for row in found)} of {len(found)}",
            f"{sum(row['control'] for row in found)} of {len(found)}",
            "; ".join(f"{row['attempt']}: {row['detail']}" for row in found if not row["held"])
            or "nothing got through",
        )
        for layer, found in by_layer.items()
    ]
    say_table(rows, ("LAYER", "HELD", "SUCCEED WITHOUT IT", "DETAIL"))
    if not report["attacks"]:
        say()
        say("The hostile actions were not run: with a required layer missing the daemon starts no worker.")
        return
    held = report["attacks"] - len(report["escapes"])
    say()
    say(f"{held} of {report['attacks']} hostile actions were contained by the whole stack. Who stopped them:")
    say()
    say_table([(by, str(count)) for by, count in report["stopped_by"].items()], ("STOPPED BY", "ATTACKS"))


def _preflight(config: Config) -> dict[str, Any]:
    """Report what a worker has, and whether this host fits; where no worker starts, that is a fault like others."""
    from runtime.doctor import preflight

    checks = preflight.checks(config)
    try:
        report = asyncio.run(_report(config))
    except WorkerStartError as error:
        detail, _, remedy = str(error).partition("; ")
        checks.append(
            preflight.HostFact("sandbox", preflight.Finding.FAULT, detail, remedy or "see deploy/FAILURES.md")
        )
        report = _facts(config) | {"layers": [], "attempts": [], "missing": []}
    return report | {"preflight": [asdict(check) for check in checks]}


async def _report(config: Config) -> dict[str, Any]:
    from runtime.doctor import host_check

    required = config.sandbox.required_layers
    found = await host_check.check_host(config)
    layers = [
        asdict(layer) | {"remedy": host_check.remedy(layer), "required": layer.name in required}
        for layer in found.layers
    ]
    active = {layer["name"] for layer in layers if layer["active"]}
    return _facts(config) | {
        "layers": layers,
        "attempts": [asdict(attempt) for attempt in found.attempts],
        "missing": [name for name in required if name not in active],
    }


def _facts(config: Config) -> dict[str, Any]:
    return {
        "kernel": platform.release(),
        "time_zones": f"IANA {tzdata.IANA_VERSION}",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "uid": os.getuid(),
        "ports": _ports(config),
        "insecure": [f"{setting}: {weakness}" for setting, weakness in listeners.weaknesses(config)],
    }


def _ports(config: Config) -> list[dict[str, str]]:
    asked = "asked for" if listeners.credentials_required(config) else "not asked for"
    return [
        {
            "port": listener.setting,
            "address": listener.address,
            "reach": "this host" if listener.local else "other hosts",
            "tls": "-" if not listener.tls else "mutual" if config.tls.client_ca_file else "yes",
            "credentials": asked,
        }
        for listener in listeners.login_listeners(config)
    ]


async def _attack(config: Config, report: dict[str, Any]) -> dict[str, Any]:
    from runtime.doctor import assault, corpus, single

    active = {layer["name"] for layer in report["layers"] if layer["active"]}
    rows = [asdict(row) for row in await single.attack(active, progress)]
    if report["missing"]:
        # The daemon would not start a worker here, so there is no stack to attack; the exit code says so already.
        return {"alone": rows, "attacks": 0, "stopped_by": {}, "escapes": []}
    found = await assault.attack(config, corpus.storable(corpus.load()), progress)
    ended = Counter(found.ended.values()).most_common()
    stopped_by = {assault.STOPPED_BY.get(verdict, verdict): count for verdict, count in ended}
    return {"alone": rows, "attacks": found.attacks, "stopped_by": stopped_by, "escapes": found.escapes}
