"""A tenant's folder holds the tenant: no link in it brings in what lies elsewhere, in any command."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import beneath, directory, tenant_texts
from runtime.errors import CatalogError, Fault

VICTIM = 'TOKEN = "hard-coded"\ndef on_execute_post_login(event, api):\n    print(TOKEN)\n'
OWN = "def on_execute_post_login(event, api):\n    pass\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory of two tenants, and a file and a tenant beside it."""
    root = tmp_path / "root"
    for name, source in (("thief", OWN), ("victim", VICTIM)):
        (root / name / "actions").mkdir(parents=True)
        (root / name / "tenant.yaml").write_text(f"tenant: {name}\nflows: {{post_login: [{{action: main}}]}}\n")
        (root / name / "actions/main.py").write_text(source)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file.py").write_text(VICTIM)
    return root


def read(root: Path) -> tuple[list[str], list[str]]:
    """Load; return what was read of the thief, and the faults below the directory."""
    sources: list[str] = []

    def check(pairs: Any) -> list[Fault]:
        sources.extend(source for label, source, *_ in pairs if "/thief/" in label)
        return []

    try:
        directory.load(root, check)
    except CatalogError as error:
        return sources, [str(fault).replace(f"{root}/", "") for fault in error.faults]
    return sources, []


def link(path: Path, target: str | Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            child.unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def chain(root: Path) -> None:
    (root / "thief/a").symlink_to("b")
    (root / "thief/b").symlink_to("../victim/actions/main.py")
    link(root / "thief/actions/linked.py", "../a")


def through_a_folder(root: Path) -> None:
    (root / "thief/shared").symlink_to("../victim/actions")
    link(root / "thief/actions/linked.py", "../shared/main.py")


LINKED = "thief/actions/linked.py"
OUT = "is a symbolic link out of the tenant's folder"
Target = str | Callable[[Path], object]
# What is tried: the place of a link, its target or how it is made, what is said of the place.
ESCAPES: dict[str, tuple[str, Target, str]] = {
    "a neighbour's action": (LINKED, "../../victim/actions/main.py", f"{OUT};"),
    "absolute": (LINKED, "{root}/victim/actions/main.py", OUT),
    "out of the directory": (LINKED, "../../../outside/file.py", OUT),
    "out and in and out": (LINKED, "../../thief/../victim/actions/main.py", OUT),
    "out and back in": (LINKED, "../../thief/actions/main.py", OUT),
    "our environment": (LINKED, "/proc/self/environ", OUT),
    "a chain": (LINKED, chain, f"{OUT} (by b)"),
    "through a folder": (LINKED, through_a_folder, f"{OUT} (by shared)"),
    "the folder of actions": ("thief/actions", "../victim/actions", f"{OUT};"),
    "the tenant file": ("thief/tenant.yaml", "../victim/tenant.yaml", f"{OUT};"),
    "a tenant's folder": ("linked", "victim", "is a symbolic link; copy"),
    "a folder to be": ("linked", "nothing", "is a symbolic link; copy"),
}


@pytest.mark.parametrize(("place", "target", "wanted"), ESCAPES.values(), ids=ESCAPES)
def test_a_link_that_leaves_is_refused(root: Path, place: str, target: Target, wanted: str) -> None:
    """Refused by tenant and link, and not a byte of what it leads to is read."""
    if isinstance(target, str):
        link(root / place, target.format(root=root))
    else:
        target(root)
    sources, faults = read(root)
    assert any(fault.startswith(f"{place}: {wanted}") for fault in faults), faults
    assert VICTIM not in sources


def test_control_without_a_link_it_is_read(root: Path) -> None:
    """The control: the neighbour's source, copied in, is read as the thief's own."""
    (root / "thief/actions/linked.py").write_text(VICTIM)
    assert read(root) == ([VICTIM, OWN], [])


@pytest.mark.parametrize("target", ["main.py", "../drafts/geo.py", "../drafts/../drafts/./geo.py", "absolute"])
def test_a_link_that_stays_is_followed(root: Path, target: str) -> None:
    """Links inside the folder are the author's own business, as an orchestrator's mounts are."""
    (root / "thief/drafts").mkdir()
    (root / "thief/drafts/geo.py").write_text(OWN)
    link(root / "thief/actions/linked.py", root / "thief/drafts/geo.py" if target == "absolute" else target)
    assert read(root) == ([OWN, OWN], [])


def test_a_mounted_volume_is_a_tenant(root: Path) -> None:
    """Kubernetes shows a volume's files through a hidden folder that it swaps: that is inside."""
    folder = root / "mounted"
    (folder / "..2026/actions").mkdir(parents=True)
    (folder / "..2026/tenant.yaml").write_text("tenant: mounted\n")
    (folder / "..data").symlink_to("..2026")
    (folder / "tenant.yaml").symlink_to("..data/tenant.yaml")
    (folder / "actions").symlink_to("..data/actions")
    assert [found.flow.tenant for found in directory.load(folder).definitions] == ["mounted"]


def test_the_directory_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """The path is the operator's word: it is followed, whether it leads to all tenants or to one."""
    (tmp_path / "all").symlink_to(root)
    (tmp_path / "one").symlink_to(root / "victim")
    assert len(directory.load(tmp_path / "all").definitions) == 2
    assert directory.load(tmp_path / "one").single


def test_an_action_by_its_path_keeps_to_the_same_rule(root: Path) -> None:
    """`check` and `run` of one file refuse the same link; a file of no tenant is the user's own word."""
    own, linked = root / "thief/actions/main.py", root / "thief/actions/linked.py"
    link(linked, "../../victim/actions/main.py")
    assert tenant_texts.action_source(own) == OWN
    assert tenant_texts.action_source(root / "../outside/file.py") is None
    with pytest.raises(CatalogError, match=r"thief/actions/linked\.py: is a symbolic link out of the tenant's folder"):
        tenant_texts.action_source(linked)


def make_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize("name", ["actions/odd.py", "tenant.yaml"])
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, make_socket], ids=["pipe", "folder", "socket"])
def test_what_is_no_file_is_never_opened(root: Path, name: str, make: Callable[[Path], object]) -> None:
    """A pipe, a folder or a socket in the place of a file is refused and not waited for."""
    path = root / "thief" / name
    path.unlink(missing_ok=True)
    make(path)
    assert read(root)[1] == [f"thief/{name}: is not a plain file"]


def test_a_device_is_never_opened(root: Path) -> None:
    """Nor a device, which a link inside the folder cannot reach, and a node is not opened."""
    node = root / "thief/actions/zero.py"
    try:
        os.mknod(node, 0o20666, os.makedev(1, 5))
    except PermissionError:
        link(node, "/dev/zero")
    assert [fault.split(":")[0] for fault in read(root)[1]] == ["thief/actions/zero.py"]


def test_a_file_without_end_is_cut(root: Path) -> None:
    """A file of a terabyte is refused by its limit, not read."""
    for name in ("tenant.yaml", "actions/main.py"):
        os.truncate(root / "thief" / name, 1 << 40)
    assert [fault.partition(", ")[2] for fault in read(root)[1]] == ["the limit", "the limit"]


def test_a_link_that_is_swapped_meanwhile_leads_nowhere_else(root: Path) -> None:
    """An author who swaps files for links while they are read gets refusals, and never the neighbour's file."""
    actions, away = root / "thief/actions", root / "thief/away"
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for old, new in ((actions, away), (away, actions)):
                old.rename(new)
                if new is away:
                    actions.symlink_to("../victim/actions")
                    actions.unlink()
            plain, linked = actions / "main.py", actions / "main.new"
            linked.symlink_to("../../victim/actions/main.py")
            linked.rename(plain)
            plain.unlink()
            plain.write_text(OWN)

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[bytes] = set()
    try:
        with beneath.Folder(root / "thief") as folder:
            for _ in range(3000):
                try:
                    seen.add(folder.read("actions/main.py", 1000)[0])
                except (OSError, beneath.Outside):
                    continue
    finally:
        stop.set()
        swapping.join()
    assert seen <= {OWN.encode(), b""}
    assert OWN.encode() in seen


def test_descriptors_are_given_back(root: Path) -> None:
    """Whatever is refused, nothing stays open."""
    chain(root)
    through_a_folder(root)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        read(root)
    assert len(os.listdir("/proc/self/fd")) == before
