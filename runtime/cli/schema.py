"""`vestibule schema`: the JSON Schema of a file that authors write, for their editor."""

from __future__ import annotations

import argparse
from typing import Final

from runtime.cli.output import Exit, say_json

DESCRIPTION = """\
Print the JSON Schema of a file, made from the tables that read it: tenant.yaml, or a suite of tests. An editor with
YAML support completes and checks the file as it is written, when the file begins with a line such as

  # yaml-language-server: $schema=../tenant.schema.json

`vestibule init` makes both schemas, and files that begin so. A schema cannot know what lies in other files; `vestibule
check` and `vestibule test` say that too."""

FILES: Final = ("tenant", "suite")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", choices=FILES, metavar="FILE", help=f"whose schema: {', '.join(FILES)}")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    if args.file == "suite":
        from runtime.suites import schema

        say_json(schema.SuiteFile.model_json_schema(), indent=2)
        return Exit.OK
    from runtime.catalog import tenant_schema

    say_json(tenant_schema.schema(), indent=2)
    return Exit.OK
