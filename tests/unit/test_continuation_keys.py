"""The keys file: what is taken, every fault that is not, and which key seals."""

import base64
import os
from pathlib import Path

import pytest

from runtime.continuation import keys
from runtime.errors import ConfigError


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def faults(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        keys.read(path)
    return str(caught.value)


def test_a_file_of_keys_is_read_in_order(tmp_path: Path) -> None:
    """Keys come in the order of their lines; blank lines and comments are passed over."""
    first, second = keys.generate(), keys.generate()
    path = write(tmp_path, f"# of spring\n{keys.text([first])}\n  \n{keys.text([second])}")
    assert keys.read(path) == (first, second)


def test_the_first_key_seals_and_all_open() -> None:
    """Rotation: what either key sealed can be opened, and only the first one seals."""
    first, second = keys.generate(), keys.generate()
    ring = keys.Keyring([first, second])
    assert ring.sealing_id == keys.key_id(first)
    assert ring.opening(keys.key_id(first)) is ring.sealing
    assert ring.opening(keys.key_id(second)) is not None
    assert ring.opening(keys.key_id(keys.generate())) is None


def test_a_link_to_a_group_readable_file_is_followed(tmp_path: Path) -> None:
    """The way in which orchestrators mount a secret is accepted: a link, and a group that may read."""
    key = keys.generate()
    target = write(tmp_path, keys.text([key]), 0o440)
    link = tmp_path / "link"
    link.symlink_to(target)
    assert keys.read(link) == (key,)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o604, "has mode 0604, so every user of this host can use it; chmod 0600"),
        (0o602, "has mode 0602, so every user"),
        (0o620, "has mode 0620, so its group can change it; chmod 0640"),
    ],
)
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int, told: str) -> None:
    """A key that others may read is none, and one that they may write is theirs."""
    assert told in faults(write(tmp_path, keys.text([keys.generate()]), mode))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of the file can change its mode and its keys."""
    path = write(tmp_path, keys.text([keys.generate()]))
    real = os.fstat

    def foreign(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[4] = 4242
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", foreign)
    assert "belongs to uid 4242; it must belong to root or to us" in faults(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory and a named pipe have words of their own, and none of them hangs the start."""
    assert "cannot be read: no such file or directory; make a key with `head -c 32" in faults(tmp_path / "none")
    assert "is not a plain file" in faults(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is not a plain file" in faults(tmp_path / "pipe")


def test_every_fault_is_named_by_its_line_and_no_key_is_quoted(tmp_path: Path) -> None:
    """All faults come at once, each with its line and remedy; what the lines hold is never shown."""
    key = keys.generate()
    short = base64.b64encode(key[:16]).decode()
    weak = base64.b64encode(b"a" * 32).decode()
    good = keys.text([key])
    path = write(tmp_path, f"{good}not base64!\n{short}\n{weak}\n{good}", 0o644)
    text = faults(path)
    assert len(text.splitlines()) == 5
    assert "has mode 0644" in text
    assert f"{path}:2: is not base64" in text
    assert f"{path}:3: is a key of 16 bytes; 32 are wanted" in text
    assert f"{path}:4: is not a random key" in text
    assert f"{path}:5: is the key of line 1 again" in text
    assert not any(secret in text for secret in (good.strip(), short, weak))


@pytest.mark.parametrize("text", ["", "\n# nothing\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    """An empty file is a mistake, not a choice."""
    assert "holds no key" in faults(write(tmp_path, text))


def test_sizes_are_bounded(tmp_path: Path) -> None:
    """Too many keys, and a file that is something else, are refused."""
    many = keys.text([keys.generate() for _ in range(keys.MAX_KEYS + 1)])
    assert "holds 17 keys; at most 16" in faults(write(tmp_path, many))
    assert "is larger than 16384 bytes" in faults(write(tmp_path, "#" * 20_000))
