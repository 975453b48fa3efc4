"""What contributors run: the release script, the commit hook, the matrix, the table of coverage."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy_scripts import script

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n### Operators\n- A thing.\n\n## 0.1.0\n- Old.\n"


def git(root: Path, *arguments: str) -> str:
    who = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    )
    done = subprocess.run(["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository that is ready for 0.2.0."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here, and a release is a tag of it")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "a")
    git(tmp_path, "config", "user.email", "a@example.com")
    git(tmp_path, "config", "tag.gpgsign", "false")
    git(tmp_path, "config", "commit.gpgsign", "false")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "deploy: begin")
    return tmp_path


def release(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "deploy" / "release"), "--root", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_dry_run_says_what_it_would_tag(project: Path) -> None:
    """The version's section is shown, and no tag is made."""
    done = release(project, "--dry-run", "0.2.0")
    assert done.returncode == 0, done.stderr
    assert "as v0.2.0" in done.stdout
    assert "- A thing." in done.stdout
    assert "Old." not in done.stdout
    assert git(project, "tag") == ""


def test_a_release_is_an_annotated_tag_with_its_notes(project: Path) -> None:
    """The tag holds the changelog's section, headings too; a second time it is refused."""
    assert release(project, "0.2.0").returncode == 0
    assert git(project, "cat-file", "-t", "v0.2.0").strip() == "tag"
    text = git(project, "tag", "--list", "--format=%(contents)", "v0.2.0")
    assert "### Operators\n- A thing." in text
    assert "is there already" in release(project, "0.2.0").stderr


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0rc1", "0.2", "v0.2.0", "0.02.0", "0.2.0\n", "--force"])
def test_only_0_x_is_tagged(project: Path, version: str) -> None:
    """Until the contract is final there is no 1.x, and nothing else that is no version of ours."""
    done = release(project, "--", version)
    assert done.returncode == 1
    assert "until the contract is final" in done.stderr
    assert git(project, "tag") == ""


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("new.txt", "not committed", "differ from the commit, such as new.txt"),
        ("pyproject.toml", '[project]\nversion = "0.1.0"\n', "pyproject.toml says 0.1.0"),
        ("CHANGELOG.md", CHANGELOG.replace("0.2.0", "0.3.0"), "no section `## 0.2.0`"),
        ("CHANGELOG.md", CHANGELOG.replace("## Unreleased\n", "## Unreleased\n- Late.\n"), "lines that are unreleased"),
    ],
)
def test_what_does_not_agree_is_refused(project: Path, path: str, text: str, reason: str) -> None:
    """A tree with changes, another version, a changelog that does not say it: each is named."""
    (project / path).write_text(text)
    if path != "new.txt":
        git(project, "commit", "--quiet", "--all", "--message", "deploy: change")
    done = release(project, "0.2.0")
    assert done.returncode == 1
    assert reason in done.stderr
    assert git(project, "tag") == ""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("workers: kill by pidfd so a reused pid is never hit\n", ""),
        ("core, rpc: name the factor\n\nWhy it is so.\n", ""),
        ('Revert "workers: kill by pidfd"\n', ""),
        ("# a comment first\ntests: hold it\n# and behind\n", ""),
        ("workers: " + "x" * 64 + "\n", "73 characters"),
        ("Kill by pidfd\n", "write `area: what it does now`"),
        ("Workers: kill by pidfd\n", "write `area: what it does now`"),
        ("workers: kill by pidfd.\n", "no period"),
        ("workers: kill by pidfd\nat once\n", "second line"),
        ("\n", "write `area: what it does now`"),
    ],
)
def test_commit_subjects(tmp_path: Path, message: str, reason: str) -> None:
    """A subject has its area and at most 72 characters; what git writes itself passes."""
    (tmp_path / "message").write_text(message)
    hook = [str(ROOT / "deploy" / "hooks" / "commit-msg"), str(tmp_path / "message")]
    done = subprocess.run(hook, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == bool(reason), done.stderr
    assert reason in done.stderr


def test_every_hook_is_local_and_there() -> None:
    """The hooks need no network, and what they run exists after `make setup`."""
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["id"] for hook in repos[0]["hooks"]} == {"ruff", "ruff-format", "mypy", "commit-msg"}
    for hook in repos[0]["hooks"]:
        command = hook["entry"].split()[0]
        assert command.startswith(".venv/bin/") or (ROOT / command).is_file()


def test_coverage_is_summed_up_by_room() -> None:
    """Files of a package count together, nested ones too; those at the top stand by themselves."""
    summary = {"num_statements": 10, "covered_lines": 4}
    names = ("runtime/core/model.py", "runtime/core/mfa.py", "sandbox/reach/facades/text.py", "runtime/daemon.py")
    found = script("coverage-by-room").rooms({name: {"summary": summary} for name in names})
    assert found == [("runtime/*.py", 10, 4), ("runtime/core", 20, 8), ("sandbox/reach", 10, 4)]


def test_the_matrix_says_which_python_cannot_be_had(tmp_path: Path) -> None:
    """Without interpreters, and with a uv that cannot install any, each is named and the command fails."""
    (tmp_path / "uv").write_text('#!/bin/sh\n[ "$2" = install ] && echo "no network" >&2\nexit 1\n')
    (tmp_path / "uv").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/sbin:/sbin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "deploy" / "matrix"), str(tmp_path / "uv")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for version in ("3.11", "3.12", "3.13"):
        assert f"{version}  NOT TESTED: there is none here" in done.stdout
    assert done.stderr.count("no network") == 3
