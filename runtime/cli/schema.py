"""`vestibule schema`: the JSON Schema of a file that authors write, for their editor."""

from __future__ import annotations

import argparse
from typing import Final

from runtime.cli.output import Exit, say_json

DESCRIPTION = """\
Print the JSON Schema of a file, made from the tables that read it: tenant.yaml. An editor with YAML support completes
and checks the file as it is written, when the file begins with a line such as

  # yaml-language-server: $schema=../tenant.schema.json

The schema cannot know what lies in other files; `vestibule check` says that too."""

FILES: Final = ("tenant",)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", choices=FILES, metavar="FILE", help=f"whose schema: {', '.join(FILES)}")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from runtime.catalog import tenant_schema

    say_json(tenant_schema.schema(), indent=2)
    return Exit.OK
