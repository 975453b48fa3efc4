"""`vestibule doctor --attack`: what held on this host, who held it, and exit code 3 when something did not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from runtime.cli import main
from runtime.config.effective import Config
from runtime.doctor import assault, corpus, goals, single
from runtime.doctor.cells import LAYERS
from runtime.workers.launch import Hold
from sandbox.contract.layers import PARENT_DEATH
from tests.fixtures.commands import vestibule

if TYPE_CHECKING:
    from collections.abc import Callable

# Few, of different kinds, for the tests that are not about the corpus itself.
FEW = corpus.load(corpus.SHARED)[:6]


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def leave_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make workers as on a host without a layer, and run few attacks; each layer by itself is not what is looked at."""
    whole = Hold.of

    async def no_rows(_active: object, _progress: object) -> list[single.Row]:
        return []

    def off(layer: str) -> None:
        def of(config: Config) -> Hold:
            hold = whole(config)
            return Hold(hold.memory_bytes, hold.journal_bytes, hold.uid, omit=frozenset({layer}))

        # For the tests themselves; to the command it would be a setting that does not exist.
        monkeypatch.delenv("VESTIBULE_REQUIRE_KERNEL", raising=False)
        monkeypatch.setattr(Hold, "of", of)
        monkeypatch.setattr(corpus, "load", lambda *_names: FEW)
        monkeypatch.setattr(single, "attack", no_rows)

    return off


@pytest.mark.long
def test_everything_holds_on_this_host() -> None:
    """The whole corpus is contained, each layer holds by itself what it should, and the control shows live attacks."""
    done = vestibule("doctor", "--attack", "--json", timeout_s=300)
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found["escapes"] == []
    assert found["attacks"] == sum(found["stopped_by"].values()) == len(corpus.storable(corpus.load())) >= 740
    active = {layer["name"] for layer in found["layers"] if layer["active"]}
    tried = [goal for goal in goals.GOALS if not goal.as_root or os.geteuid() == 0]
    wanted = {alone for goal in tried for alone in goal.alone if single.stand(alone, active)}
    attacked = {row["layer"] for row in found["alone"]}
    assert attacked == {alone[-1] for alone in wanted} | {single.LANGUAGE, single.TIME_LIMIT, PARENT_DEATH}
    # Of the uid there is nothing to take from a user who has none to spare.
    assert active - {"uid"} <= attacked - {single.LANGUAGE, single.TIME_LIMIT} <= active <= LAYERS
    assert all(row["held"] for row in found["alone"])
    # Up to the processor, and to a Python that has the syntax.
    without = {"speculate past a store", "tstring", "type_parameters"}
    assert {row["attempt"] for row in found["alone"] if not row["control"]} <= without
    assert len(found["alone"]) > 150
    assert found["kernel"]
    assert {"seccomp", "landlock", "namespaces.net", "uid"} <= {layer["name"] for layer in found["layers"]}


def test_a_layer_that_is_off_exits_with_3(leave_off: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Without the system call filter a worker makes machine code: the report says what, and the exit code says so."""
    leave_off("seccomp")
    code = main.main(["doctor", "--attack", "--json", "--sandbox-required-layers", "landlock"])
    found = report(capsys)
    assert code == 3
    assert "map executable memory" in [attempt["name"] for attempt in found["attempts"] if not attempt["contained"]]
    # The language holds without it.
    assert found["attacks"] == len(FEW)
    assert found["escapes"] == []


def test_a_required_layer_that_is_missing_exits_with_3_and_is_named(
    leave_off: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon would not start, so no hostile action is run; what to look at is named."""
    leave_off("landlock")
    assert main.main(["doctor", "--attack"]) == 3
    said = capsys.readouterr()
    assert "required and not active on this host: landlock" in said.err
    assert "were not run" in said.out


async def test_an_attack_that_succeeds_is_reported() -> None:
    """Control: an action that does show its mark counts as an escape, beside one that does not."""
    handler = "def on_execute_post_login(event, api):\n    api.access.deny('ESCAPED_x1')\n"
    escaping = corpus.Attack("x1", "control", "show the mark", handler)
    found = await assault.attack(Config(), [escaping, FEW[0]], lambda _text: None)
    assert found.attacks == 2
    assert found.escapes == ["x1 (show the mark): it succeeded"]


async def test_a_layer_that_lets_an_attack_through_is_reported() -> None:
    """Control: with a layer that prevents nothing of the kind, the row says that it did not hold, and what happened."""
    goal = goals.Goal("read a file", "os.close(os.open('/etc/passwd', os.O_RDONLY))", (("parent_death",),))
    (row,) = await single.attack_layer(("parent_death",), [goal], {}, {"read a file": True})
    assert (row.layer, row.held, row.control, row.detail) == ("parent_death", False, True, "it succeeded")


async def test_a_crash_is_no_refusal() -> None:
    """Control: an attacker that dies of something else shows nothing of the layer, and the row does not say it held."""
    goal = goals.Goal("crash", "os.kill(os.getpid(), signal.SIGSEGV)", (("parent_death",),))
    (row,) = await single.attack_layer(("parent_death",), [goal], {}, {"crash": True})
    assert (row.held, row.detail) == (False, "killed by SIGSEGV")


def test_a_user_namespace_that_is_only_a_way_may_be_missing() -> None:
    """Root makes the other namespaces without one, as in a chroot: they are attacked; without its own layer none is."""
    assert single.stand(goals.NET, {"namespaces.net"})
    assert not single.stand(goals.NET, {"namespaces.user"})
    assert not single.stand(("namespaces.user",), {"namespaces.net"})
    assert not single.stand(goals.FILTER, {"seccomp"})


def test_attacks_are_distinguished() -> None:
    """Every attack has an identity of its own, and the families are many."""
    attacks = corpus.load()
    assert len({attack.id for attack in attacks}) == len(attacks)
    assert len({attack.family for attack in attacks}) >= 35
