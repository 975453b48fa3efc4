"""`vestibule doctor`: which layers hold a worker on this host, asked of a real worker."""

import argparse
import asyncio
import os
import platform
from dataclasses import asdict
from typing import Any

from runtime.commands.output import Exit, complain, say, say_json, table
from runtime.commands.settings import add_settings, loaded
from runtime.config import Config

NAME = "doctor"
HELP = "show which sandbox layers are active on this host"
DESCRIPTION = """\
Start a worker exactly as the daemon does, print what its lock-down reports, and let others try to break out. A required
layer that is not active is why `vestibule serve` would refuse to start; it exits with 3."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=("sandbox.required_layers", "sandbox.uid"))


def run(args: argparse.Namespace) -> int:
    """Ask a worker and print."""
    config = loaded(args).config
    report = asyncio.run(_report(config))
    missing = report["missing"]
    if args.json:
        say_json(report, indent=2)
    else:
        rows = [
            (
                layer["name"],
                "active" if layer["active"] else "-",
                "required" if layer["required"] else "",
                layer["detail"],
            )
            for layer in report["layers"]
        ]
        say(f"kernel {report['kernel']}, python {report['python']}, {report['machine']}, uid {report['uid']}\n")
        for line in table(rows, ("LAYER", "STATE", "REQUIRED", "DETAIL")):
            say(line)
        say("")
        tried = [
            (attempt["name"], "contained" if attempt["contained"] else "NOT contained", attempt["detail"])
            for attempt in report["attempts"]
        ]
        for line in table(tried, ("ATTEMPT", "RESULT", "DETAIL")):
            say(line)
        for layer in report["layers"]:
            if layer["remedy"]:
                say(f"\n{layer['name']} is not active. It needs: {layer['remedy']}.")
    escaped = [attempt["name"] for attempt in report["attempts"] if not attempt["contained"]]
    if escaped:
        complain(f"vestibule: a locked-down worker could: {', '.join(escaped)}")
        return Exit.CHECK_FAILED
    if missing:
        complain(f"vestibule: required and not active on this host: {', '.join(missing)}")
        return Exit.CHECK_FAILED
    return Exit.OK


async def _report(config: Config) -> dict[str, Any]:
    from runtime.workers.survey import survey

    required = config.sandbox.required_layers
    found = await survey(config)
    layers = [asdict(layer) | {"required": layer.name in required} for layer in found.layers]
    active = {layer["name"] for layer in layers if layer["active"]}
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "uid": os.getuid(),
        "layers": layers,
        "attempts": [asdict(attempt) for attempt in found.attempts],
        "missing": [name for name in required if name not in active],
    }
