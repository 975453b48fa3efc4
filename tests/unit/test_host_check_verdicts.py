"""What the end of a worker says of its attempt to break out, and what `vestibule doctor` makes of it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from runtime.cli import main
from runtime.config.effective import Config
from runtime.doctor import host_check
from sandbox.contract import exit_codes
from sandbox.contract.attempts import ATTEMPTS
from sandbox.contract.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "open a socket"
# Ends of workers that never came to their attempt, or were ended in the middle of it by somebody else.
OTHER_ENDS = (0, 1, exit_codes.FAILED, exit_codes.MEMORY, 127, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGXCPU)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VESTIBULE_"):
            monkeypatch.delenv(name)


def doctor(monkeypatch: pytest.MonkeyPatch, codes: Sequence[int], *arguments: str, missing: str = "") -> int:
    """Run the command on a host whose workers end with these codes."""
    layers = tuple(Layer(name, name != missing, "") for name in Config().sandbox.required_layers)
    attempts = tuple(host_check.judge(name, code) for name, code in zip(ATTEMPTS, codes, strict=False))

    async def found(_config: Config) -> host_check.HostCheck:
        return host_check.HostCheck(layers, attempts)

    monkeypatch.setattr(host_check, "check_host", found)
    return main.main(["doctor", *arguments])


@pytest.mark.parametrize("code", [exit_codes.REFUSED, -signal.SIGSYS])
def test_a_refused_attempt_is_contained(code: int) -> None:
    """The kernel's refusal and the system call filter's signal are what shows that a layer holds."""
    found = host_check.judge(NAME, code)
    assert (found.tried, found.contained) == (True, True)


def test_only_its_own_word_says_that_an_attempt_succeeded() -> None:
    """A worker that broke out says so by an exit code that nothing else has."""
    found = host_check.judge(NAME, exit_codes.BROKE_OUT)
    assert (found.tried, found.contained, found.detail) == (True, False, "it succeeded")
    assert exit_codes.BROKE_OUT not in OTHER_ENDS


@pytest.mark.parametrize("code", OTHER_ENDS)
def test_any_other_end_says_nothing_of_the_attempt(code: int) -> None:
    """It neither held nor broke out: it could not be tried, and the detail says how its worker ended."""
    found = host_check.judge(NAME, code)
    assert (found.tried, found.contained) == (False, False)
    assert str(abs(code)) in found.detail


def test_doctor_tells_what_could_not_be_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits with 1, as for any fault, and claims neither that the attempt failed nor that it succeeded."""
    codes = (exit_codes.REFUSED, exit_codes.FAILED, -signal.SIGKILL)
    assert doctor(monkeypatch, codes) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "vestibule: could not be tried: read its environment (its worker exited with code 70)",
        "vestibule: could not be tried: open a socket (its worker was killed by signal 9)",
    ]
    assert said.out.count("could not be tried") == 2
    assert "NOT contained" not in said.out
    assert doctor(monkeypatch, codes, "--json") == 1
    told = json.loads(capsys.readouterr().out)["attempts"]
    assert [(attempt["tried"], attempt["contained"]) for attempt in told] == [
        (True, True),
        (False, False),
        (False, False),
    ]


def test_doctor_puts_what_did_not_hold_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An attempt that succeeded, or a required layer that is missing, exits with 3 whatever else could not be tried."""
    assert doctor(monkeypatch, (exit_codes.BROKE_OUT, exit_codes.FAILED)) == 3
    assert "a locked-down worker could: read a file\n" in capsys.readouterr().err
    assert doctor(monkeypatch, (exit_codes.FAILED,), missing="landlock") == 3
    assert "required and not active on this host: landlock" in capsys.readouterr().err


def test_doctor_says_yes_when_all_was_tried_and_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control: with every attempt refused it exits with 0 and complains of nothing."""
    assert doctor(monkeypatch, (exit_codes.REFUSED, -signal.SIGSYS)) == 0
    assert capsys.readouterr().err == ""
