"""The commands and examples of the pages, run as their readers would, while the demo serves.

The operator's page has a test of its own.
"""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import node_package
from tests.deploy_scripts import pages
from tests.fixtures.commands import TIED
from tests.fixtures.terminal import ROOT, Terminal, environment, furnished

NOT_RUN = re.compile(r"^(make|pip) |vestibule serve|^python -m pip|^git ", re.MULTILINE)
"""Blocks that install, never end, or are tried by a test of their own."""


TYPED = ("127.0.0.1:50051", "127.0.0.1:50052", "127.0.0.1:9464")
"""Where a reader's demo serves gRPC, HTTP and metrics; the test's has ports of its own."""


@dataclass(frozen=True)
class Reader(Terminal):
    """A terminal in a folder of the reader's, while the demo serves."""

    demo_output: str = ""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with furnished(tmp_path_factory.mktemp("reader")) as folder, serving(folder) as found:
        yield found


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Reader]:
    """Serve the demo for a block."""
    own = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    demo = subprocess.Popen(
        [*TIED, sys.executable, "-m", "runtime.cli", "demo", *own],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    try:
        output = ""
        for line in demo.stdout:
            output += line
            if found := re.match(
                r"still serving: gRPC on (\S+), HTTP on http://(\S+), metrics on http://(\S+)/metrics", line
            ):
                ports = dict(zip(TYPED, found.groups(), strict=True))
                yield Reader(folder, ports, {"VESTIBULE_TARGET": found[1]}, output)
                break
        else:
            pytest.fail(f"the demo does not serve: {output[-2000:]}")
    finally:
        demo.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            demo.wait(60)
        demo.kill()
        demo.stdout.close()


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "proto/README.md",
        "proto/doors/HTTP.md",
        "sandbox/docs/README.md",
        "sandbox/docs/TESTING.md",
        "deploy/templates/README.md",
    ],
)
def test_every_command_does_what_its_page_says(reader: Reader, page: str) -> None:
    """Each block of commands that ends by itself ends well, in the order of the page."""
    ran = 0
    for block in pages.blocks((ROOT / page).read_text(), ""):
        if NOT_RUN.search(block) or not re.search(r"^(\.venv|curl|cp|mkdir|head) ?", block, re.MULTILINE):
            continue
        reader.block(block)
        ran += 1
    assert ran >= 1


def test_the_examples_of_the_gateways_page_run(reader: Reader) -> None:
    """Each Python block runs, and the first call prints the outcome that the page names."""
    printed = []
    both = [(ROOT / "proto" / name).read_text() for name in ("README.md", "CALLS.md")]
    for block in [block for page in both for block in pages.blocks(page, "python")]:
        done = reader.run([sys.executable, "-"], block)
        assert done.returncode == 0, block + done.stderr
        printed.append(done.stdout.strip())
    assert printed == ["OUTCOME_MFA_REQUIRED", "ShowFactors", "", "", ""]


def test_the_gateways_pages_node_example_runs(reader: Reader, tmp_path: Path) -> None:
    """So does the one for Node, in a folder where the package is installed."""
    node_package.unpack(node_package.pack(tmp_path), reader.folder)
    (block,) = pages.blocks((ROOT / "proto" / "README.md").read_text(), "js")
    done = reader.run([node_package.node(), "--input-type=module", "-"], block)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "showFactors\n"


def test_the_front_page_shows_what_the_demo_prints(reader: Reader) -> None:
    """The logins of the front page are the demo's own, in all but what is measured."""
    shown = pages.section((ROOT / "README.md").read_text(), "demo")
    assert "TIMED_OUT" in shown
    assert "at line N: BudgetExceeded" in pages.untimed(shown)
    assert pages.untimed(shown) == pages.untimed(pages.demo(reader.demo_output))


def test_a_refused_import_is_refused_in_these_words(reader: Reader) -> None:
    """The fault on the authors' page is the one that `check` prints."""
    (shown,) = re.findall(
        r"^my-tenants/acme/actions/geo.py:.*$", (ROOT / "sandbox/docs/README.md").read_text(), re.MULTILINE
    )
    action = reader.folder / "my-tenants" / "acme" / "actions" / "geo.py"
    action.parent.mkdir(parents=True, exist_ok=True)
    action.write_text("# by country\n\nimport requests\n\n\ndef on_execute_post_login(event, api):\n    pass\n")
    done = reader.run([str(reader.folder / ".venv/bin/vestibule"), "check", str(action.relative_to(reader.folder))])
    assert shown in done.stdout + done.stderr
