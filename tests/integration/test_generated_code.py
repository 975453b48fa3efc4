"""The generated code that is committed is what protoc makes of the .proto files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "proto"
GENERATED = PROTO / "python"


def test_regenerating_changes_nothing(tmp_path: Path) -> None:
    """The committed Python is what protoc makes of the .proto files, byte for byte."""
    # What lies in google/ is vendored, and its code is a package's.
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "vestibule").rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I."]
    subprocess.run(
        [*command, f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *sources], cwd=PROTO, check=True, timeout=60
    )
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2.py*")}
    committed = {
        path.relative_to(GENERATED): path.read_bytes()
        for path in (GENERATED / "vestibule").rglob("*_pb2.py*")
        if path.suffix in (".py", ".pyi")
    }
    assert made.keys() == committed.keys()
    assert [str(path) for path in made if made[path] != committed[path]] == []
