"""`vestibule doctor`: which layers hold a worker on this host, asked of a real worker."""

import argparse
import asyncio
import os
import platform
from dataclasses import replace
from typing import Any

from runtime.commands.output import Exit, complain, say, say_json, table
from runtime.commands.settings import add_settings, loaded
from runtime.config import Config

NAME = "doctor"
HELP = "show which sandbox layers are active on this host"
DESCRIPTION = """\
Start a worker exactly as the daemon does and print what its lock-down reports. A required layer that is not active is
why `vestibule serve` would refuse to start; it exits with 3."""


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
    if missing:
        complain(f"vestibule: required and not active on this host: {', '.join(missing)}")
        return Exit.CHECK_FAILED
    return Exit.OK


async def _report(config: Config) -> dict[str, Any]:
    from runtime import local
    from runtime.metrics import Metrics

    required = config.sandbox.required_layers
    # Nothing required: a missing layer is what this command is there to show.
    asking = replace(
        config, sandbox=replace(config.sandbox, required_layers=()), pool=replace(config.pool, blank_workers=0)
    )
    async with local.open_pool(asking, Metrics("")) as pool:
        layers = [
            {"name": layer.name, "active": layer.active, "required": layer.name in required, "detail": layer.detail}
            for layer in pool.layers
        ]
    active = {layer["name"] for layer in layers if layer["active"]}
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "uid": os.getuid(),
        "layers": layers,
        "missing": [name for name in required if name not in active],
    }
