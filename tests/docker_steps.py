"""Reads a Dockerfile and carries out its steps without docker: each stage in a root of its own, made of this host.

`python docker_steps.py build SPEC` makes a stage in an overlay over this host's root, so that nothing is left behind;
`python docker_steps.py run SPEC` runs a command in a finished root as a container does: read-only, its own processes
and mounts, another user, no privileges. Both need root. SPEC is JSON. Knows nothing of Vestibule.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.process import kernel
from tests import run_as

_MS_BIND: Final = 0x1000
_LONG_LINE: Final = re.compile(r"\\\n")


@dataclass
class Stage:
    """What a Dockerfile says of one image."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, instruction: str) -> list[str]:
        """Return the arguments of every such step."""
        return [text for word, text in self.steps if word == instruction]

    def command(self, instruction: str) -> list[str]:
        """Return the words of the last such step, which has the form of a JSON list."""
        words: list[str] = json.loads(self.of(instruction)[-1].partition("CMD ")[2] or self.of(instruction)[-1])
        return words

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are set."""
        pairs = [pair for text in self.of("ENV") for pair in text.split()]
        return dict(pair.split("=", 1) for pair in pairs)


def stages(text: str) -> list[Stage]:
    """Read a Dockerfile."""
    found: list[Stage] = []
    arguments: dict[str, str] = {}
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in _LONG_LINE.sub(" ", lines).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "ARG" and not found:
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, alias = rest.partition(" AS ")
            found.append(Stage(arguments[image.strip("${}")], alias))
        elif word:
            found[-1].steps.append((word, " ".join(rest.split())))
    return found


def copies(stage: Stage) -> list[tuple[str, list[str], str]]:
    """Return what is copied: from which stage (or nothing), which paths, to where."""
    found = []
    for text in stage.of("COPY"):
        words = text.split()
        options = [word for word in words if word.startswith("--")]
        paths = [word for word in words if not word.startswith("--")]
        source = next((option.removeprefix("--from=") for option in options if option.startswith("--from=")), "")
        found.append((source, paths[:-1], paths[-1]))
    return found


def _build(spec: dict[str, Any]) -> None:
    """Carry out a stage's steps in an overlay over this host's root, and copy what it made out of it."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE, "")
    place = Path(spec["place"])
    kernel.mount("tmpfs", str(place), "tmpfs", 0, "mode=755")
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    root = place / "root"
    kernel.mount("overlay", str(root), "overlay", 0, f"lowerdir=/,upperdir={place}/upper,workdir={place}/work")
    for name in ("dev", "proc"):
        kernel.mount(f"/{name}", str(root / name), "", _MS_BIND | kernel.MS_REC, "")
    (stage,) = (stage for stage in stages(Path(spec["file"]).read_text()) if stage.name == spec["stage"])
    folder = Path("/")
    environment = dict(os.environ)
    copied = iter(copies(stage))
    for word, text in stage.steps:
        if word == "WORKDIR":
            folder = folder / text
            shutil.rmtree(root / str(folder).lstrip("/"), ignore_errors=True)
            (root / str(folder).lstrip("/")).mkdir(parents=True)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in text.split())
        elif word == "COPY":
            _, sources, target = next(copied)
            for source in sources:
                _copy(Path(spec["context"]) / source, root / str(folder / target).lstrip("/"), target.endswith("/"))
        elif word == "RUN":
            # The base image's python3 is the first on the path.
            script = f"cd {folder} && export PATH={spec['bin']}:$PATH && {text}"
            subprocess.run(["chroot", str(root), "sh", "-euc", script], env=environment, check=True, timeout=900)
    for source, target in spec["take"].items():
        shutil.copytree(root / source.lstrip("/"), target, symlinks=True)


def _copy(source: Path, target: Path, into: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        target = target / source.name if into else target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def base_with_python(root: Path, python: Path, modules: Sequence[Path]) -> None:
    """Make a root that has a Python and what it links to, and nothing else: no shell, no other program.

    It stands in for an image without a shell, whose Python is another build of the same version.
    """
    for name in ("tmp", "proc", "dev", "usr/bin", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    prefix = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    unused = shutil.ignore_patterns("test", "tests", "idlelib", "site-packages", "config-*", "ensurepip", "__pycache__")
    shutil.copytree(library, root / str(library).lstrip("/"), ignore=unused)
    programs = [python, *(root / str(library).lstrip("/")).rglob("*.so"), *modules]
    for needed in {python, *(path for program in programs for path in _linked(program))}:
        target = root / str(needed).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(needed, target)
    (root / "usr/bin/python3").symlink_to(python)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/tmp:/sbin/nologin\n")
    for folder in (path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()):
        folder.chmod(0o755)
    assert prefix in python.parents


def _linked(program: Path) -> list[Path]:
    """List the libraries that a program is linked to, by the names under which they are looked for."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def _run(spec: dict[str, Any]) -> None:
    """Become process 1 of a container and execute the command."""
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    child = os.fork()
    if child:
        kernel.set_name("container")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE, "")
    root = Path(spec["root"])
    kernel.mount(str(root), str(root), "", _MS_BIND, "")
    kernel.mount("proc", str(root / "proc"), "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "")
    kernel.mount("tmpfs", str(root / "tmp"), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777,size=64m")
    for name in ("null", "zero", "random", "urandom"):
        (root / "dev" / name).touch()
        kernel.mount(f"/dev/{name}", str(root / "dev" / name), "", _MS_BIND, "")
    for target, source in spec["volumes"].items():
        kernel.mount(source, str(root / target.lstrip("/")), "", _MS_BIND, "")
    kernel.mount("", str(root), "", kernel.MS_REMOUNT | _MS_BIND | kernel.MS_RDONLY, "")
    os.chdir(root)
    kernel.pivot_root_here()
    kernel.umount_detach(".")
    os.chdir(spec["folder"])
    os.setgroups([])
    os.setgid(spec["gid"])
    os.setuid(spec["uid"])
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # What docker's and containerd's own profiles refuse to a process without CAP_SYS_ADMIN.
    run_as.refuse(*(kernel.number_of(run_as.CALLS[name]) for name in spec["refused"]))
    os.execve(spec["command"][0], spec["command"], spec["environment"])


if __name__ == "__main__":
    {"build": _build, "run": _run}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
