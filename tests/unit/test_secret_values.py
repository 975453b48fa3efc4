"""Secrets from the operator's environment and files: only what is allowed to that tenant, and clear words otherwise."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import directory
from runtime.catalog.secret_values import Secrets, Unresolved, allowance_lines, allowances
from runtime.errors import CatalogError, ConfigError

ENVIRON = {"VICTIM_API_KEY": "victims-key", "OPERATOR_AWS_SECRET_ACCESS_KEY": "operators-key", "EMPTY": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of secrets of two tenants, and a file beside them."""
    for tenant, value in (("acme", "acmes\n"), ("victim", "victims")):
        (tmp_path / "secrets" / tenant).mkdir(parents=True)
        (tmp_path / "secrets" / tenant / "key").write_text(value)
    (tmp_path / "secrets/shared").write_text("operators")
    (tmp_path / "outside").write_text("operators")
    return tmp_path / "secrets"


class TestEnvironment:
    @pytest.mark.parametrize("name", ["VICTIM_API_KEY", "OPERATOR_AWS_SECRET_ACCESS_KEY", "PATH", "NOT_SET"])
    def test_only_what_is_allowed_to_the_tenant(self, name: str) -> None:
        """A variable is refused to every tenant but the one it is allowed to, set or not; the message is the remedy."""
        secrets = Secrets(ENVIRON, allowances([("", "victim:VICTIM_API_KEY"), ("", "other:PATH")]))
        with pytest.raises(Unresolved) as caught:
            secrets.env("thief", name)
        assert str(caught.value) == (
            f"tenant 'thief' may not read the environment variable {name}; if it should, allow it with "
            f"--secret-env thief:{name}"
        )

    def test_control_what_is_allowed_is_read(self) -> None:
        """The control: the same variable for the tenant that may have it."""
        assert Secrets(ENVIRON, allowances([("", "victim:VICTIM_API_KEY")])).env("victim", "VICTIM_API_KEY") == (
            "victims-key"
        )

    @pytest.mark.parametrize(
        ("name", "wanted"),
        [
            ("NOT_SET", "the environment variable NOT_SET is not set; set it and apply again"),
            ("EMPTY", "the environment variable EMPTY is empty; set it and apply again"),
            ("A B", "'A B' is not the name of a variable; want letters, digits and underscores"),
            ("", "'' is not the name of a variable; want letters, digits and underscores"),
            ("A=B", "'A=B' is not the name of a variable; want letters, digits and underscores"),
        ],
    )
    def test_what_cannot_be_read(self, name: str, wanted: str) -> None:
        """Allowed and unset, empty, or no name at all."""
        allowed = frozenset({("acme", name)})
        with pytest.raises(Unresolved) as caught:
            Secrets(ENVIRON, allowed).env("acme", name)
        assert str(caught.value) == wanted

    def test_nothing_is_printed_of_the_environment(self) -> None:
        """The object that holds the environment shows none of it."""
        assert "victims-key" not in repr(Secrets(ENVIRON))


class TestAllowances:
    def test_lines(self) -> None:
        """One a line; blank lines and comments, whole or behind, are passed over; places are kept."""
        text = "# for the gateway\n\nacme:API_KEY\r\n  beta:TOKEN  # theirs\n"
        found = allowance_lines("f", text)
        assert found == [("f:3", "acme:API_KEY"), ("f:4", "beta:TOKEN")]
        assert allowances(found) == {("acme", "API_KEY"), ("beta", "TOKEN")}

    @pytest.mark.parametrize(
        "text", ["", "acme", "acme:", ":KEY", "Acme:KEY", "acme:A:B", "acme:*", "*:KEY", "acme:9", "acme:A=B", "a b:C"]
    )
    def test_what_is_no_allowance(self, text: str) -> None:
        """There is no wildcard; a fault has its place, what was given and what is wanted."""
        with pytest.raises(ConfigError) as caught:
            allowances([("allowed.txt:7", text)])
        assert str(caught.value) == f"allowed.txt:7: got {text!r}; want TENANT:NAME, such as acme:API_KEY"

    def test_every_fault_at_once(self) -> None:
        """Faults of flags and of files come in one list."""
        with pytest.raises(ConfigError) as caught:
            allowances([("--secret-env", "x"), ("f:1", "acme:KEY"), ("f:2", "y")])
        assert [fault.where for fault in caught.value.faults] == ["--secret-env", "f:2"]


def link(path: Path, target: str | Path) -> None:
    path.unlink()
    path.symlink_to(target)


def swap_folder(key: Path) -> None:
    key.unlink()
    key.parent.rmdir()
    key.parent.symlink_to("victim")


def swap_by(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Put something else in the place of a file."""

    def swap(key: Path) -> None:
        key.unlink()
        make(key)

    return swap


UNUSABLE: list[Any] = [
    (lambda key: link(key, "../victim/key"), "is a symbolic link out of"),
    (lambda key: link(key, key.parents[2] / "outside"), "is a symbolic link out of"),
    (lambda key: link(key, "/proc/self/environ"), "is a symbolic link out of"),
    (lambda key: link(key, "key"), "too many levels of symbolic links"),
    (lambda key: link(key, "gone"), "there is no file"),
    (swap_folder, "must be a folder and no link"),
    (lambda key: key.unlink(), "there is no file"),
    (swap_by(os.mkfifo), "is not a plain file"),
    (swap_by(os.mkdir), "is not a plain file"),
    (lambda key: key.write_bytes(b"ab\xff"), "is not UTF-8 text (byte 2); encode it, for example as base64"),
    (lambda key: key.write_bytes(b""), "is empty; write the secret into it"),
    (lambda key: key.write_bytes(b"\n"), "is empty; write the secret into it"),
    (lambda key: key.write_bytes(b"\xef\xbb\xbfkey"), "begins with a byte order mark; save it without one"),
    (lambda key: key.write_bytes(b"x" * 20_000), "is larger than a secret of 4096 characters can be"),
    (lambda key: os.truncate(key, 1 << 40), "is larger than a secret of 4096 characters can be"),
    (lambda key: key.chmod(0o666), "can be changed by every user of this host; chmod 0600"),
]


class TestFiles:
    def test_a_tenant_has_its_own(self, folder: Path) -> None:
        """The same name is another file for each tenant."""
        secrets = Secrets(directory=folder)
        assert (secrets.file("acme", "key"), secrets.file("victim", "key")) == ("acmes", "victims")

    @pytest.mark.parametrize(
        ("data", "value"),
        [(b"k", "k"), (b"k\n", "k"), (b"k\r\n", "k"), (b"k\n\n", "k\n"), (b" k \n", " k "), ("é\n".encode(), "é")],
    )
    def test_one_line_end_is_no_part_of_it(self, folder: Path, data: bytes, value: str) -> None:
        """The line end that an editor adds goes; everything else stays."""
        (folder / "acme/key").write_bytes(data)
        assert Secrets(directory=folder).file("acme", "key") == value

    @pytest.mark.parametrize("name", ["../victim/key", "/etc/passwd", "a/b", "", ".", "..", ".hidden", "a\nb", "k\0"])
    def test_a_name_is_no_path(self, folder: Path, name: str) -> None:
        """Nothing but a file's name, so there is no way up or down."""
        with pytest.raises(Unresolved, match="is not the name of a secret's file"):
            Secrets(directory=folder).file("acme", name)

    @pytest.mark.parametrize(("attack", "wanted"), UNUSABLE)
    def test_what_cannot_be_read(self, folder: Path, attack: Callable[[Path], object], wanted: str) -> None:
        """Each message names the file and the remedy, and quotes nothing of it."""
        attack(folder / "acme/key")
        with pytest.raises(Unresolved) as caught:
            Secrets(directory=folder).file("acme", "key")
        message = str(caught.value)
        assert wanted in message
        assert str(folder / "acme/key") in message
        assert "victims" not in message

    def test_a_mounted_secret_is_read(self, folder: Path) -> None:
        """Kubernetes shows a secret's files through a hidden folder that it swaps: that is inside."""
        (folder / "acme/..2026").mkdir()
        (folder / "acme/..2026/key").write_text("mounted")
        (folder / "acme/..data").symlink_to("..2026")
        link(folder / "acme/key", "..data/key")
        assert Secrets(directory=folder).file("acme", "key") == "mounted"

    def test_a_folder_that_cannot_be_read(self, tmp_path: Path) -> None:
        """No folder, no folder of the tenant, or none given at all."""
        with pytest.raises(Unresolved, match=r"there is no file .*/none/acme/key; add it"):
            Secrets(directory=tmp_path / "none").file("acme", "key")
        with pytest.raises(Unresolved, match="no folder of secrets is given; name the folder that holds acme/key with"):
            Secrets().file("acme", "key")


def thief(root: Path, *secrets: str) -> Path:
    lines = "".join(f"    S{at}: {secret}\n" for at, secret in enumerate(secrets))
    (root / "thief/actions").mkdir(parents=True)
    text = f"tenant: thief\nflows: {{post_login: [{{action: loot}}]}}\nsecrets:\n  loot:\n{lines}"
    (root / "thief/tenant.yaml").write_text(text)
    (root / "thief/actions/loot.py").write_text("def on_execute_post_login(event, api):\n    print(event.secrets)\n")
    return root


def test_the_fault_names_tenant_secret_and_variable(tmp_path: Path) -> None:
    """Each reference that is not allowed is a fault at its place; nothing is loaded, and no value is shown."""
    root = thief(tmp_path, "{env: VICTIM_API_KEY}", "{env: PATH}", "{file: key}")
    with pytest.raises(CatalogError) as caught:
        directory.load(root, secrets=Secrets(ENVIRON, allowances([("", "victim:VICTIM_API_KEY")])))
    faults = [str(fault) for fault in caught.value.faults]
    assert [fault.partition(": ")[0].rpartition("/")[2] for fault in faults] == [
        f"tenant.yaml:{line}:5" for line in (5, 6, 7)
    ]
    for fault, named in zip(faults, ("VICTIM_API_KEY", "PATH", "key"), strict=True):
        assert f"secrets.loot.S{faults.index(fault)}: tenant 'thief'" in fault
        assert named in fault
    assert "victims-key" not in "".join(faults)


def test_a_tenant_file_cannot_take_another_name(tmp_path: Path) -> None:
    """The folder says whose a variable is, whatever the file inside calls itself."""
    root = thief(tmp_path, "{env: VICTIM_API_KEY}")
    file = root / "thief/tenant.yaml"
    file.write_text(file.read_text().replace("tenant: thief", "tenant: victim"))
    with pytest.raises(CatalogError) as caught:
        directory.load(root, secrets=Secrets(ENVIRON, allowances([("", "victim:VICTIM_API_KEY")])))
    assert any("tenant 'thief' may not read" in str(fault) for fault in caught.value.faults)


def test_placeholders_need_no_values(tmp_path: Path, folder: Path) -> None:
    """What is not given reads as a placeholder; what is allowed has its value; a name that is none is still a fault."""
    root = thief(tmp_path / "root", "{env: NOT_SET}", "{file: key}", "{env: VICTIM_API_KEY}")
    secrets = Secrets(ENVIRON, allowances([("", "thief:VICTIM_API_KEY")]), placeholders=True)
    (found,) = directory.load(root, secrets=secrets).definitions
    assert found.flow.secrets["loot"] == {
        "S0": "placeholder-of-NOT_SET",
        "S1": "placeholder-of-key",
        "S2": "victims-key",
    }
    with pytest.raises(Unresolved, match="there is no file"):
        Secrets(directory=folder, placeholders=True).file("thief", "key")
    with pytest.raises(Unresolved, match="is not the name"):
        Secrets(placeholders=True).file("thief", "../x")
