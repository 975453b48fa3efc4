"""Flags that say which secrets a tenant's {env: NAME} and {file: NAME} may stand for.

Imports nothing of the catalog before a command runs: `vestibule run` starts its zygote first.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cli.output import read_text

if TYPE_CHECKING:
    from runtime.catalog.secret_values import Secrets
    from runtime.catalog.stored_secrets import StoredSecrets


def add_secret_flags(parser: argparse.ArgumentParser) -> None:
    """Add --secret-env, --secret-env-file and --secrets-dir."""
    group = parser.add_argument_group("secrets: what {env: NAME} and {file: NAME} of a tenant.yaml may stand for")
    group.add_argument(
        "--secret-env",
        action="append",
        default=[],
        metavar="TENANT:NAME",
        help="let this tenant read this environment variable; may be given many times",
    )
    group.add_argument(
        "--secret-env-file",
        action="append",
        default=[],
        metavar="FILE",
        help="the same, one TENANT:NAME a line; blank lines and # comments are passed over",
    )
    group.add_argument(
        "--secrets-dir", metavar="DIR", help="folder with DIR/TENANT/NAME for each {file: NAME} of a tenant"
    )


def secrets_of(args: argparse.Namespace, *, placeholders: bool = False, stored: StoredSecrets | None = None) -> Secrets:
    """Return what the flags allow, and what the store has. With placeholders, a secret that none gives is no fault.

    Raises: ConfigError.
    """
    from runtime.catalog.secret_values import Secrets, allowance_lines, allowances

    given = [("--secret-env", text) for text in args.secret_env]
    for file in args.secret_env_file:
        given += allowance_lines(file, read_text(file))
    directory = Path(args.secrets_dir) if args.secrets_dir else None
    return Secrets(os.environ, allowances(given), directory, placeholders, stored)
