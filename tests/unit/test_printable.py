"""What a command prints of foreign text: nothing that a terminal obeys, one line, and JSON that is the same value."""

import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.cli import output
from runtime.ops.printable import printable, printable_json

# C0, DEL, C1, bidi overrides and isolates, line and paragraph separators, invisible marks, halves of pairs, tags.
HOSTILE = "".join(
    map(chr, [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010), 0x2028, 0x2029])
) + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xDC80, 0xD800, 0xE0001, 0xE0041]))
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})


def seen(text: str) -> bool:
    """Tell whether every character is one that a terminal only shows."""
    return all(unicodedata.category(char) not in UNSEEN for char in text)


def test_what_is_hostile_is_hostile() -> None:
    """The control: none of these characters may reach a terminal."""
    assert not any(seen(char) for char in HOSTILE)


def test_every_control_is_escaped() -> None:
    """Each character of the kind becomes an escape that names it; ordinary text stays as it is."""
    assert seen(printable(HOSTILE))
    assert printable("a\x9b31mb\u202ec\nd\x7f") == r"a\x9b31mb\u202ec\nd\x7f"
    assert printable("Zoë 東京 ❤ \\n") == "Zoë 東京 ❤ \\n"


def test_commands_write_in_one_place() -> None:
    """No command has a way to its terminal but `output`, where everything is escaped."""
    root = Path(output.__file__).parent
    files = [path for path in root.glob("*.py") if path.name != "output.py"]
    ways = re.compile(r"\bprint\(|print_exc|std(out|err)\.write|std(out|err)\.buffer")
    assert len(files) > 10
    assert ways.search("sys.stdout.write(text)")
    assert [path.name for path in files if ways.search(path.read_text())] == []


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_the_same_value(indent: int | None) -> None:
    """Escaped JSON reads back as what was written, keys too, and keeps its layout."""
    value = {HOSTILE: [HOSTILE, "Zoë"], "n": 1.5}
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    shown = printable_json(text)
    assert seen(shown.replace("\n", ""))
    assert json.loads(shown) == json.loads(json.dumps(value))
    assert shown.count("\n") == (0 if indent is None else text.count("\n"))
    assert "Zoë" in shown


@pytest.mark.parametrize("write", [output.say, output.complain])
def test_a_command_writes_one_line(write: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a result or a complaint quotes, it is one line without a control."""
    write(f"acme: {HOSTILE}")
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert text.endswith("\n")
    assert seen(text[:-1])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the terminal cannot show ends no command, and JSON stays JSON."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    output.say("東京")
    output.say_json({"city": "東京"})
    stream.seek(0)
    line, value = stream.read().splitlines()
    assert line in ("東京", r"\u6771\u4eac")
    assert json.loads(value) == {"city": "東京"}


def test_progress_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is escaped too, and a file gets none."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, wanted in ((Terminal(), "\r\x1b[Ka\\x9bb"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        output.progress("a\x9bb")
        assert stream.getvalue() == wanted
