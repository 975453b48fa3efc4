"""`vestibule show`: what one version of a tenant holds."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runtime.cli.output import Colour, Exit, instant, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import reference

if TYPE_CHECKING:
    from runtime.catalog.base import Definition

DESCRIPTION = """\
Print what a tenant is, or was at a version: who made it, its tenant.yaml and its actions. Secrets have their names
alone: {stored: NAME} stands for the value that the store has. `--sources` prints the actions too."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", type=reference, metavar="TENANT[@N]", help="the tenant, and the version if not now's")
    parser.add_argument("--sources", action="store_true", help="print the sources of the actions too")
    add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Read the store and print the version."""
    from runtime.catalog import tenant_writer

    with opened(args) as source:
        version, state, held, *_ = source.shown(*args.tenant)
    if args.json:
        found = asdict(version) | {"hold": asdict(held) if held is not None else None}
        say_json(found | {"removed": state is None} | (_content(state) if state is not None else {}), indent=2)
        return Exit.OK
    say(f"{version}, made {instant(version.made_at)} by {version.made_by or 'unknown'} ({version.how})", Colour.BOLD)
    if version.message:
        say(f"message: {version.message}")
    if held is not None:
        say(f"held at {held}")
    if state is None:
        say("the tenant was removed")
        return Exit.OK
    say(f"content: {version.content_hash}")
    say()
    for line in tenant_writer.tenant_yaml(state.flow).rstrip("\n").split("\n"):
        say(line)
    revisions = {f"actions/{binding.action}.py": f"  {binding.revision}" for binding in state.flow.bindings}
    for name, text in state.files.items():
        say()
        say(f"{name}{revisions.get(name, '')}  {len(text.encode())} bytes", Colour.CYAN)
        for line in text.removesuffix("\n").split("\n") if args.sources else ():
            say(line)
    return Exit.OK


def _content(state: Definition) -> dict[str, Any]:
    from runtime.catalog import tenant_writer

    files = state.files
    actions = [
        {"action": binding.action, "revision": binding.revision, "source": files.pop(f"actions/{binding.action}.py")}
        for binding in state.flow.bindings
    ]
    return {"tenant_yaml": tenant_writer.document(state.flow), "actions": actions, "files": files}
