"""`vestibule init`: a tenant to begin with: its flow, an action, tests of it, an editor's settings, a pipeline."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Final

from runtime.cli.output import Exit, say
from runtime.errors import ConfigError, Fault

DESCRIPTION = """\
Make the folder of a tenant that works: tenant.yaml, an action, a suite of tests, the schemas by which an editor
completes and checks both, and an example of a pipeline. The tenant has the name of the folder. Files that exist are not
written over: then nothing is written at all."""

_FILES: Final = {
    "tenant.yaml": "tenant.yaml",
    "actions/require_mfa.py": "actions/require_mfa.py",
    "tests/require_mfa.yaml": "tests/require_mfa.yaml",
    "editor/settings.json": ".vscode/settings.json",
    "ci/vestibule.yaml": ".github/workflows/vestibule.yaml",
}
"""Files of the starter, and where they go."""
_SCHEMAS: Final = ".vestibule"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the tenant's folder; it may exist")


def run(args: argparse.Namespace) -> int:
    """Write every file, or none."""
    root = Path(args.directory)
    texts = _texts(_tenant(root))
    there = [name for name in texts if (root / name).exists() or (root / name).is_symlink()]
    if there:
        raise ConfigError([Fault(str(root / name), "exists; name another folder, or move it away") for name in there])
    try:
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            say(str(path))
    except OSError as error:
        raise ConfigError([Fault(str(root), f"cannot be written: {(error.strerror or str(error)).lower()}")]) from None
    say()
    say(f"try it:  vestibule test {root} --coverage")
    say("         the types of `event` and `api` for your editor: pip install vestibule-actions")
    return Exit.OK


def _tenant(root: Path) -> str:
    """Return the name of the tenant. Raises: ConfigError."""
    from runtime.catalog.base import TENANT_NAME

    name = root.resolve().name
    if not re.fullmatch(TENANT_NAME, name):
        remedy = "name a folder of 1 to 64 lower-case letters, digits and hyphens, a letter or digit first"
        raise ConfigError([Fault(str(root), f"{name!r} cannot be a tenant's name; {remedy}")])
    return name


def _texts(tenant: str) -> dict[str, str]:
    from runtime.catalog import tenant_schema
    from runtime.suites import schema

    starter = _starter()
    texts = {path: (starter / file).read_text(encoding="utf-8") for file, path in _FILES.items()}
    texts["tenant.yaml"] = texts["tenant.yaml"].replace("TENANT", tenant)
    for name, said in (("tenant", tenant_schema.schema()), ("suite", schema.SuiteFile.model_json_schema())):
        texts[f"{_SCHEMAS}/{name}.schema.json"] = json.dumps(said, indent=1) + "\n"
    return texts


def _starter() -> Path:
    """Return the folder of the starter's files: in a wheel pyproject.toml puts it beside this module."""
    installed = Path(__file__).with_name("starter_files")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "deploy" / "starter"
