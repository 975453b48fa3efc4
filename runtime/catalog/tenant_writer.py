"""Write a tenant as its author would have it: a folder with tenant.yaml and actions, which an apply reads back.

Secrets are written as references to the store, never as values. What names a file here came from a store, and is
checked as if it were hostile.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

import yaml

from runtime.catalog.base import TENANT_NAME, Definition, Flow
from runtime.catalog.tenant_file import ACTION_NAME
from runtime.core.model import TOP_SETTINGS, OnError, Settings
from runtime.errors import CatalogError, ConfigError, Fault
from runtime.ops.printable import printable
from sandbox.contract import bundle

# Words that every reader of YAML takes for text. All else is quoted: readers differ in what they take for a number.
_PLAIN: Final = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)\Z)[a-z][a-z0-9_-]*\Z")
_DEFAULT: Final = Settings()


@dataclass(frozen=True, slots=True)
class Exported:
    """A tenant to be written, the comment at the head of its file, and the text of its marker file."""

    definition: Definition
    head: str
    marker: str


def tenant_yaml(flow: Flow, head: str = "") -> str:
    """Return the text of tenant.yaml for a flow. `head` becomes its first comment."""
    comment = "".join(f"# {printable(line)}\n" for line in head.split("\n") if line)
    return comment + yaml.dump(
        document(flow), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


def document(flow: Flow) -> dict[str, Any]:
    """Return what tenant.yaml says of a flow, as plain data."""
    found: dict[str, Any] = {"tenant": flow.tenant}
    if flow.settings.experience is not _DEFAULT.experience:
        found["login_experience"] = flow.settings.experience.value
    if flow.settings.cache is not _DEFAULT.cache:
        found["cache"] = flow.settings.cache.value
    mfa = {
        declared.name: _plain(getattr(flow.settings, declared.name))
        for declared in fields(Settings)
        if declared.name not in TOP_SETTINGS
        and getattr(flow.settings, declared.name) != getattr(_DEFAULT, declared.name)
    }
    bindings = [
        {"action": binding.action}
        | ({} if binding.on_error is OnError.REQUIRE_MFA else {"on_error": binding.on_error.value})
        | ({} if binding.timeout_us is None else {"timeout_ms": binding.timeout_us // 1000})
        | ({} if binding.uses is None else {"uses": list(binding.uses)})
        for binding in flow.bindings
    ]
    secrets = {
        action: {name: {"stored": name} for name in sorted(named)} for action, named in sorted(flow.secrets.items())
    }
    doors = {
        name: {"mfa_required_as": door.mfa_required_as}
        | {option: _plain(value) for option, value in door.options.items()}
        | ({"secrets": [{"stored": at} for at in range(1, len(door.secrets) + 1)]} if door.secrets else {})
        for name, door in sorted(flow.doors.items())
    }
    found |= {"mfa": mfa} if mfa else {}
    found |= {"flows": {"post_login": bindings}} if bindings else {}
    return found | ({"secrets": secrets} if secrets else {}) | ({"doors": doors} if doors else {})


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with every text quoted that is not a plain word."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out: tenant files have no aliases."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if _PLAIN.match(value) else '"')


_Dumper.add_representer(str, _text)


def export(directory: Path, tenants: list[Exported], *, force: bool = False) -> None:
    """Write tenants into a directory that is new or empty, all or nothing; with `force`, over what is there.

    Then what an apply would read of these tenants is replaced, and every other file is left alone.
    Raises: ConfigError when the directory holds something or cannot be written, CatalogError for a name that is none.
    """
    for tenant in tenants:
        _check(tenant.definition)
    try:
        if not os.path.lexists(directory) or (directory.is_dir() and not any(directory.iterdir())):
            _whole(directory, tenants)
        elif not directory.is_dir():
            raise ConfigError([Fault(str(directory), "is no directory; name a new one")])
        elif not force:
            raise ConfigError(
                [Fault(str(directory), "is not empty; name a new directory, or add --force to replace tenants in it")]
            )
        else:
            for tenant in tenants:
                _over(directory / tenant.definition.flow.tenant, tenant)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise ConfigError([Fault(str(error.filename or directory), f"cannot be written: {why}")]) from error


def _check(definition: Definition) -> None:
    flow = definition.flow
    names = [(flow.tenant, TENANT_NAME), *((binding.action, ACTION_NAME) for binding in flow.bindings)]
    for name, pattern in names:
        if not re.fullmatch(pattern, name):
            raise CatalogError([f"the store holds {name[:60]!r}, which is no name of a tenant or action"])
    for name in definition.files.keys() - {f"actions/{binding.action}.py" for binding in flow.bindings}:
        if not bundle.is_file(name):
            raise CatalogError([f"the store holds {name[:60]!r}, which is no name of a shared file"])


def _whole(directory: Path, tenants: list[Exported]) -> None:
    """Write beside the directory and move it into place, so that no reader sees half of it."""
    target = directory.resolve()
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
    try:
        for tenant in tenants:
            _over(made / tenant.definition.flow.tenant, tenant)
        os.chmod(made, 0o777 & ~_umask())
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _over(folder: Path, tenant: Exported) -> None:
    """Write one tenant's folder. Files of actions, and shared ones, that it does not have are removed."""
    flow, files = tenant.definition.flow, tenant.definition.files
    places = [folder, folder / "actions"]
    shared = folder / bundle.PACKAGE
    places += [shared] if os.path.lexists(shared) or any(map(bundle.is_file, files)) else []
    for place in places:
        place.mkdir(exist_ok=True, parents=False)
        if stat.S_ISLNK(os.lstat(place).st_mode):
            raise ConfigError([Fault(str(place), "is a symbolic link; remove it, or export into a new directory")])
    for name, source in files.items():
        replace_file(folder / name, source.encode())
    for place in places[1:]:
        for other in place.iterdir():
            if other.name.endswith(".py") and f"{place.name}/{other.name}" not in files:
                other.unlink()
    replace_file(folder / "tenant.yaml", tenant_yaml(flow, tenant.head).encode())
    replace_file(folder / MARKER, tenant.marker.encode())


MARKER: Final = ".vestibule-version"
"""In a tenant's folder: which version of which store it was made from."""


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises: OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
