"""The wheel of vestibule-actions and the examples of the pages, as strict type checkers read them."""

import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from mypy import api as mypy

from sandbox.action.alarm import ACTION_FILENAME
from sandbox.authoring import stubs
from sandbox.language import compiler

GOOD = """\
from __future__ import annotations

from vestibule_actions import Api, Event, Factor


def on_execute_post_login(event: Event, api: Api) -> None:
    roles = event.authorization.roles if event.authorization else ()
    if "admin" in roles or event.user.appMetadata.get("mfa"):
        api.multifactor.enable("any", allow_remember_browser=False).access_token.add_scope("read:all")
    if event.transaction and event.transaction.protocol == "samlp":
        api.samlResponse.setAttribute("groups", ["a", "b"])
    if not api.redirect.can_redirect():
        api.multifactor.enable("duo", provider_options={"host": "h", "username": event.user.email})
    for factor in event.user.enrolled_factors or ():
        print(factor.type, event.get("organization.metadata.plan", "none"))
    if event.request.geoip.country_code != "CH":
        api.session.set_expires_at(1_900_000_000_000).transaction.set_metadata("abroad", True)
    enrolled: list[Factor] = [{"type": factor.type} for factor in event.user.enrolled_factors or ()]
    if enrolled:
        api.authentication.challenge_with_any(enrolled).authentication.challengeWith(
            {"type": "push", "options": {"otpFallback": False}},
            additional_factors=[{"type": "phone", "options": {"preferred_method": "sms"}}],
        )
    else:
        api.authentication.enroll_with({"type": "otp"})
    if event.authorization and event.authorization.roles == ["admin"]:
        api.roles.get_user_effective_roles_by_names(event.authorization.roles)
    record = api.cache.get("seen")
    if record is None and (result := api.cache.set("seen", "yes", ttl=1000)).type == "error":
        print(result.code == "CacheSizeExceeded", result["code"])
    elif record:
        print(record.value.upper(), record.expires_at + 1)
    token = api.redirect.encode_token(secret=event.secrets["KEY"], payload={"level": 2})
    api.redirect.send_user_to("https://example.com/terms", query={"session_token": token, "n": 5})


def on_continue_post_login(event: Event, api: Api) -> None:
    if api.redirect.validate_token(secret=event.secrets["KEY"]).get("accepted"):
        api.authentication.record_method("https://example.com/terms")
    elif event.prompt and event.prompt.fields:
        api.access.deny(event.prompt.id)
"""

FAULTS = [
    ('api.multifactor.enable("sms")', "incompatible type"),
    ('api.multifactor.enabel("any")', "has no attribute"),
    ("api.access.deny()", "Missing positional argument"),
    ('api.access.deny("no", reason_code=1)', "Unexpected keyword argument"),
    ('event.user.emial == "x"', "has no attribute"),
    ('event.user.email.endswith("x")', 'Item "None" of'),
    ('event.user.email = "x"', "read-only"),
    ("api.session.set_metadata('k', 5)", "incompatible type"),
    ("api.authentication.challenge_with(7)", "incompatible type"),
    ("api.authentication.challenge_with({'typ': 'otp'})", "incompatible type"),
    (
        "api.authentication.challenge_with({'type': 'phone', 'options': {'preferred_method': 'call'}})",
        "incompatible type",
    ),
    ("api.authentication.enroll_with_any({'type': 'otp'})", "incompatible type"),
    ("api.redirect.send_user_to('https://example.com', query='a=b')", "incompatible type"),
    ("api.redirect.encode_token(payload={})", 'Missing named argument "secret"'),
    ("api.cache.set('k', 5)", "incompatible type"),
    ("api.cache.get('k').value", 'Item "None" of'),
    ("event.user.app_metadata['plan'] = 'none'", "indexed assignment"),
    ("event.authentication and event.authentication.methods.append(None)", "not callable"),
    ("event.secrets['KEY'] = 'x'", "indexed assignment"),
    ("event.refresh_token and event.refresh_token.access == 'offlien'", "Non-overlapping equality"),
]

GUIDE = stubs.REFERENCE.with_name("PORTING.md").read_text()
PAGE = (stubs.STUB.parents[1] / "README.md").read_text()
EXAMPLES = [example for page in (GUIDE, PAGE) for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with actions in it, and an environment into which the wheel was installed, and nothing else."""
    folder = tmp_path_factory.mktemp("actions")
    head = "from vestibule_actions import Api, Event\n"
    faults = "\n\ndef on_execute_post_login(event: Event, api: Api) -> None:\n" + "".join(
        f"    {fault}\n" for fault, _ in FAULTS
    )
    (folder / "good.py").write_text(GOOD)
    (folder / "faults.py").write_text(head + faults)
    for number, source in enumerate(EXAMPLES):
        typed = source.replace("(event, api):", "(event: Event, api: Api) -> None:")
        (folder / f"example{number}.py").write_text(head + typed)
    source, away = tmp_path_factory.mktemp("source") / "stubs", tmp_path_factory.mktemp("environment")
    shutil.copytree(stubs.STUB.parents[1], source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    build = f"from setuptools import build_meta; print(build_meta.build_wheel({str(away)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=300)
    venv.create(away / "venv", symlinks=True)
    (site,) = away.glob("venv/lib/python*/site-packages")
    (wheel,) = away.glob("vestibule_actions-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    (folder / ".python").symlink_to(away / "venv" / "bin" / "python")
    return folder


@pytest.fixture(scope="module")
def python(folder: Path) -> str:
    """The interpreter of that environment."""
    return str((folder / ".python").parent / (folder / ".python").readlink())


@pytest.fixture(scope="module")
def findings(folder: Path, python: str) -> list[str]:
    """Return what mypy says of all actions of this module, in its strict mode: one run, a file each."""
    flags = ["--strict", "--config-file=", f"--python-executable={python}", f"--cache-dir={folder / 'cache'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MYPYPATH", raising=False)
        patch.chdir(folder)
        said, complaints, _ = mypy.run(
            [*flags, "--no-error-summary", *sorted(path.name for path in folder.glob("*.py"))]
        )
    assert not complaints
    return said.splitlines()


@pytest.fixture(scope="module")
def pyright_findings(folder: Path, python: str) -> dict[str, set[int]]:
    """Return the lines that pyright finds fault with, by file; it has no configuration.

    basedpyright is pyright with its program in the package, where PyPI's `pyright` fetches it by npm.
    """
    command = [str(Path(sys.executable).parent / "basedpyright"), "--outputjson", "--pythonpath", python]
    done = subprocess.run(
        [*command, "good.py", "faults.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    rules = ("error", "reportUnnecessaryComparison")
    found: dict[str, set[int]] = {}
    for finding in json.loads(done.stdout)["generalDiagnostics"]:
        if finding["severity"] in rules or finding.get("rule") in rules:
            lines = found.setdefault(Path(finding["file"]).name, set())
            lines.add(finding["range"]["start"]["line"] + 1)
    return found


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_pages_are_actions(number: int, findings: list[str]) -> None:
    """Each one passes the sandbox's policy, and a strict checker once its parameters are annotated."""
    compiler.compile_action(EXAMPLES[number], ACTION_FILENAME)
    assert [line for line in findings if line.startswith(f"example{number}.py:")] == []


def test_the_porting_guide_has_examples() -> None:
    """The pattern above still finds them."""
    assert len(EXAMPLES) >= 4


def test_a_good_action_passes(findings: list[str]) -> None:
    """A checker in its strict mode has nothing to say, and neither has the sandbox's policy."""
    assert [line for line in findings if not line.startswith("faults.py:")] == []
    compiler.compile_action(GOOD, ACTION_FILENAME)


@pytest.mark.parametrize(("number", "line", "text"), [(at, *fault) for at, fault in enumerate(FAULTS, 5)])
def test_faults_are_found(number: int, line: str, text: str, findings: list[str]) -> None:
    """Each fault has a line of its own in the checker's answer."""
    assert any(found.startswith(f"faults.py:{number}:") and text in found for found in findings), (line, findings)


def test_pyright_finds_the_same(pyright_findings: dict[str, set[int]]) -> None:
    """It accepts the good action, and finds each fault in its line."""
    assert "good.py" not in pyright_findings
    assert pyright_findings["faults.py"] == {at for at, _ in enumerate(FAULTS, 5)}


def test_an_action_can_be_imported_outside_of_the_sandbox(folder: Path, python: str) -> None:
    """The names are there at run time too, so that an author's own tests can call the function."""
    program = "import good; from vestibule_actions import ProviderOptions; print(good.on_execute_post_login.__name__)"
    done = subprocess.run(
        [python, "-B", "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "on_execute_post_login\n"
