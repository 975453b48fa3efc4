"""Shared files of a tenant: how they are packed, compiled, imported, and that an execution leaves nothing in them."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog import differences, directory, tenant_texts, tenant_writer
from runtime.errors import CatalogError
from sandbox.action import alarm, execution, live
from sandbox.contract import bundle
from sandbox.contract.surface import ENTRY
from sandbox.inspection import inspection
from sandbox.language import compiler
from sandbox.language.program import RevisionCode, compile_program

HELPERS = """
from lib.words import LOUD
SEEN = []
_HIDDEN = 1


def seen(value):
    SEEN.append(value)
    return len(SEEN)
"""
WORDS = "LOUD = 'x'\n"
FILES = {"helpers": HELPERS, "words": WORDS}


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    alarm.install()
    yield
    alarm.disarm()


def action(body: str, imports: str = "from lib import helpers") -> str:
    return f"{imports}\ndef {ENTRY}(event, api):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def program(source: str, files: dict[str, str] | None = None) -> RevisionCode:
    return compile_program(bundle.pack(source, FILES if files is None else files), alarm.ACTION_FILENAME)


def run(compiled: RevisionCode, budget_ns: int = 10**9) -> worker_pb2.StepReport:
    report, _, _ = execution.execute(
        compiled.code, ENTRY, event_pb2.PostLoginEvent(), {}, 0, b"seed", 0, budget_ns, 4096, live.FlowState(),
        files=compiled.files,
    )  # fmt: skip
    return worker_pb2.StepReport.FromString(report)


def faults(source: str, files: dict[str, str]) -> list[str]:
    with pytest.raises(compiler.Rejected) as caught:
        program(source, files)
    return [str(fault) for fault in caught.value.faults]


def test_a_text_has_the_files_that_it_may_import() -> None:
    """An action that does not spell the package has a text of its own, which no shared file changes."""
    alone = action("pass", "import json")
    assert bundle.pack(alone, FILES) == alone
    assert bundle.unpack(alone) == bundle.Bundle(alone, {})
    packed = bundle.pack(action("pass"), FILES)
    assert bundle.unpack(packed) == bundle.Bundle(action("pass"), FILES)
    assert packed == bundle.pack(action("pass"), dict(reversed(FILES.items())))
    assert packed != bundle.pack(action("pass"), FILES | {"words": "LOUD = 'y'\n"})


@pytest.mark.parametrize(
    ("imports", "expression", "printed"),
    [
        ("from lib import helpers", "helpers.seen(1), helpers.seen(2), helpers.LOUD", "(1, 2, 'x')"),
        ("from lib.helpers import seen as s", "s(1), s(2)", "(1, 2)"),
        ("import lib.helpers", "lib.helpers.seen(1), lib.helpers.LOUD", "(1, 'x')"),
        ("import lib.helpers as h", "h.seen(1), h", "(1, <module 'lib.helpers'>)"),
        ("from lib import helpers, words", "helpers.LOUD is words.LOUD, getattr(helpers, 'no', 5)", "(True, 5)"),
        ("from lib import helpers", "'{0.LOUD}'.format(helpers), hasattr(helpers, '_HIDDEN')", "('x', False)"),
    ],
)
def test_what_an_author_writes(imports: str, expression: str, printed: str) -> None:
    """The forms of an import that Python has; a file is run once in an execution, however often it is imported."""
    report = run(program(action(f"value = {expression}\nprint(value)", imports)))
    assert (report.error_message, report.output.strip()) == ("", printed)


WRONG = """\
def divides(number):
    return 1 / number
def loops():
    while True:
        pass
def asks(api):
    while True:
        api.user.set_app_metadata("a", 1)
def swallows():
    try:
        loops()
    finally:
        1 / 0
def calls(function):
    return function()
"""


@pytest.mark.parametrize(
    ("body", "error_type", "place"),
    [
        ("wrong.divides(0)", "ZeroDivisionError", ("lib/wrong.py", 2)),
        ("wrong.loops()", "BudgetExceeded", ("lib/wrong.py", 5)),
        ("wrong.asks(api)", "CommandsLimitExceeded", ("lib/wrong.py", 8)),
        ("wrong.swallows()", "BudgetExceeded", ("lib/wrong.py", 5)),
        ("def fails():\n    raise ValueError\nwrong.calls(fails)", "ValueError", ("", 4)),
        ("while True:\n    pass", "BudgetExceeded", ("", 4)),
    ],
)
def test_an_error_is_placed_in_its_file(body: str, error_type: str, place: tuple[str, int]) -> None:
    """The place of an error is the innermost of the author's own lines, in the action or in a shared file."""
    report = run(program(action(body, "from lib import wrong"), {"wrong": WRONG}), budget_ns=30_000_000)
    # A loop is interrupted at either of its lines.
    near = report.error_line + 1 if (report.error_file, report.error_line + 1) == place else report.error_line
    assert (report.error_type, report.error_file, near) == (error_type, *place)


def test_what_a_file_raises_when_it_is_imported_is_placed_in_it() -> None:
    """In a login, and when the action is checked."""
    compiled = program(action("pass", "from lib import bad"), {"bad": "A = 1\nB = {}['c']\n"})
    report = run(compiled)
    assert (report.error_type, report.error_file, report.error_line) == ("KeyError", "lib/bad.py", 2)
    (fault,) = inspection.with_body([], compiled.code, compiled.files, 10**9)
    assert (fault.filename, fault.line, fault.code) == ("lib/bad.py", 2, "module-body")


def test_nothing_of_a_file_survives_an_execution() -> None:
    """What one login left in a shared file is not there for the next one, nor for the next action of its flow."""
    compiled = program(action("print(helpers.seen('mine'))"))
    assert [run(compiled).output for _ in range(3)] == ["1\n"] * 3


def test_control_a_module_that_is_kept_tells_the_next_login() -> None:
    """Control: the same file, kept as Python keeps its modules, counts on from login to login."""
    kept = types.ModuleType("helpers")
    exec(HELPERS.replace("from lib.words import LOUD", ""), vars(kept))  # noqa: S102 - what is shown
    assert [kept.seen("mine") for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("attack", ["helpers._getattr_", "helpers.__builtins__", "helpers.seen.__globals__"])
def test_no_guard_is_named_through_a_file(attack: str) -> None:
    """Names that begin with an underscore are refused when the action is compiled."""
    with pytest.raises(compiler.Rejected, match="underscore"):
        program(action(f"print({attack})"))


@pytest.mark.parametrize(
    "attack",
    [
        "getattr(helpers, '__builtins__')",
        "getattr(helpers, '_import_')",
        "getattr(helpers, '_HIDDEN')",
        "getattr(helpers, '_names')",
        "getattr(helpers, '_read_')",
        "getattr(helpers.seen, '__globals__')",
        "'{0._HIDDEN}'.format(helpers)",
    ],
)
def test_no_guard_is_read_through_a_file(attack: str) -> None:
    """The guards and the inside of a file are not to be had by a text either; what the file binds is."""
    assert run(program(action(f"print({attack})"))).error_type == "AttributeError"
    assert run(program(action("print(getattr(helpers, 'LOUD'), '{0.LOUD}'.format(helpers))"))).output == "x x\n"


def test_a_file_is_changed_by_itself_alone() -> None:
    """An assignment from outside raises, and says what to write instead."""
    report = run(program(action("helpers.LOUD = 'y'")))
    assert "give it a function that does" in report.error_message
    report = run(program(action("setattr(helpers, 'LOUD', 'y')")))
    assert "give it a function that does" in report.error_message


def test_faults_stand_in_their_own_files() -> None:
    """Each fault names file, line and column; a file that no import leads to is not compiled with the action."""
    files = {
        "one": "from lib import two\nX = two.Y\n",
        "two": "import lib.one\ndef f():\n    from lib import two\n    return eval('1')\nY = 1\n",
        "other": "def f(:\n",
    }
    assert faults(action("one.Z", "from lib import one, onne\nfrom lib.two import y"), files) == [
        "<action>:1:22: there is no file lib/onne.py; did you mean 'one'?",
        "<action>:2:21: lib/two.py has no 'y'; did you mean 'Y'?",
        "<action>:4:5: lib/one.py has no 'Z'",
        "lib/two.py:1:1: shared files import each other in a circle, lib/two.py -> lib/one.py -> lib/two.py: "
        "move what both need into a file of its own",
        "lib/two.py:3:5: lib/two.py imports itself: remove the import, its own names are there without it",
        "lib/two.py:4:12: the name 'eval' is not available, because an action's code is checked before it runs: "
        "write the code itself",
        "lib/one.py:1:1: shared files import each other in a circle, lib/one.py -> lib/two.py -> lib/one.py: "
        "move what both need into a file of its own",
    ]
    with pytest.raises(compiler.Rejected) as caught:
        compile_program(bundle.pack(None, files), alarm.ACTION_FILENAME)
    assert {fault.filename for fault in caught.value.faults} == {"lib/one.py", "lib/two.py", "lib/other.py"}


@pytest.mark.parametrize(
    ("imports", "files", "message"),
    [
        ("from lib import helpers", {}, "there is no file lib/helpers.py: put what actions share into the folder"),
        ("import lib", {"helpers": ""}, "`import lib` gives nothing"),
        ("from .lib import helpers", {"helpers": ""}, "relative imports are not available"),
        ("from lib import *", {"helpers": ""}, "`import *` is not available"),
        ("from lib.helpers import _x", {"helpers": "_x = 1"}, "names with a leading underscore are private"),
    ],
)
def test_an_import_that_cannot_be(imports: str, files: dict[str, str], message: str) -> None:
    """What is refused, and what to write instead."""
    text = bundle.pack(action("pass", imports), files)
    with pytest.raises(compiler.Rejected) as caught:
        compile_program(text, alarm.ACTION_FILENAME)
    assert message in str(caught.value)


def tenant(root: Path, files: dict[str, str], bound: str = action("helpers.seen(1)")) -> Path:
    folder = root / "acme"
    for name, text in {
        "tenant.yaml": "tenant: acme\nflows: {post_login: [{action: a}, {action: plain}]}\n",
        "actions/a.py": bound,
        "actions/plain.py": action("pass", "import json"),
    }.items() | {f"lib/{name}.py": text for name, text in files.items()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def defined(folder: Path) -> Any:
    (definition,) = directory.load(folder).definitions
    return definition


def test_a_revision_is_of_the_action_and_of_what_it_shares(tmp_path: Path) -> None:
    """A change of a shared file is a new revision of each action that imports from the package, and of no other."""
    before = defined(tenant(tmp_path, FILES))
    after = defined(tenant(tmp_path, FILES | {"words": "LOUD = 'y'\n"}))
    assert [a.revision == b.revision for a, b in zip(before.flow.bindings, after.flow.bindings, strict=True)] == [
        False, True,
    ]  # fmt: skip
    assert all(hashlib.sha256(text.encode()).hexdigest() == name for name, text in before.sources.items())
    (found,) = differences.differences("acme@1", before, "acme@2", after).sources
    assert found.action == "lib/words.py"
    assert found.lines[:2] == ("--- acme@1/lib/words.py", "+++ acme@2/lib/words.py")
    assert found.lines[-2:] == ("-LOUD = 'x'", "+LOUD = 'y'")


def test_a_tenant_is_written_as_it_was_read(tmp_path: Path) -> None:
    """An export has the shared files; with --force one that is not wanted any more goes."""
    definition = defined(tenant(tmp_path / "in", FILES))
    out = tmp_path / "out"
    tenant_writer.export(out, [tenant_writer.Exported(definition, "", "{}")])
    assert {str(path.relative_to(out)) for path in out.rglob("*.py")} == {
        "acme/actions/a.py", "acme/actions/plain.py", "acme/lib/helpers.py", "acme/lib/words.py",
    }  # fmt: skip
    assert defined(out / "acme") == definition
    (out / "acme/lib/other.py").write_text("")
    tenant_writer.export(out, [tenant_writer.Exported(definition, "", "{}")], force=True)
    assert not (out / "acme/lib/other.py").exists()


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("Helpers.py", b"", "cannot be imported; want 1 to 64 lower-case letters"),
        ("a-b.py", b"", "cannot be imported; want"),
        ("class.py", b"", "'class' is a word of Python's; rename it"),
        ("__init__.py", b"", "is not needed to import its neighbours; remove it"),
        ("latin.py", b"# \xe9\n", "byte 2 is not UTF-8; save the file as UTF-8"),
        ("mark.py", b"\x01[]", "begins with a control character; remove it"),
        ("large.py", b"#" * 100_001, "is larger than 100000 bytes, the limit"),
    ],
)
def test_a_file_that_cannot_be_shared(tmp_path: Path, file: str, data: bytes, message: str) -> None:
    """Each is a fault at its place, together with every other."""
    folder = tenant(tmp_path, FILES)
    (folder / "lib" / file).write_bytes(data)
    with pytest.raises(CatalogError) as caught:
        directory.load(folder)
    assert f"{folder}/lib/{file}" in str(caught.value)
    assert message in str(caught.value)


def test_too_much_is_shared(tmp_path: Path) -> None:
    """The files of a tenant are bounded together, for each action is sent with all of them."""
    folder = tenant(tmp_path, dict.fromkeys(("a", "b", "c"), "#" * 70000))
    with pytest.raises(CatalogError, match="may have 200000 together"):
        directory.load(folder)


def test_a_single_file_is_read_with_its_neighbours(tmp_path: Path) -> None:
    """`check` and `run` of one action find what it imports; a shared file is checked with all of them."""
    folder = tenant(tmp_path, FILES)
    text = tenant_texts.action_source(folder / "actions/a.py")
    assert text == bundle.pack(action("helpers.seen(1)"), FILES)
    assert tenant_texts.action_source(folder / "lib/words.py") == bundle.pack(None, FILES)
