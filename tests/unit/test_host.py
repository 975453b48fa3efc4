"""What a run says of a host that lacks something: each feature once, and no skip without a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.contract import layers
from tests import host

TESTS = Path(__file__).parents[1]
# A layer that needs nothing of the kernel is there on every host.
EVERYWHERE = {layers.ENVIRONMENT, layers.PARENT_DEATH, layers.DESCRIPTORS, layers.NOT_DUMPABLE}


def test_each_feature_is_named_once_with_its_number_and_meaning() -> None:
    """Skips of one feature are one line, whatever the host said of each; other skips keep their own words."""
    said = list(
        host.summary(
            [
                "Skipped: namespaces.mount: the host refuses an empty root: Invalid argument",
                "Skipped: namespaces.mount: the host refuses it: Operation not permitted",
                "Skipped: there is no C compiler",
            ]
        )
    )
    assert said == [
        f"namespaces.mount: 2 tests skipped: {host.MEANING['namespaces.mount']}",
        "1 test skipped: there is no C compiler",
    ]


def test_every_layer_has_a_meaning() -> None:
    """A layer that a host may lack is one that the summary can explain."""
    assert set(layers.LAYERS) - EVERYWHERE <= host.MEANING.keys()


def test_every_feature_that_a_test_requires_has_a_meaning() -> None:
    """What stands before the colon of a literal reason is a feature of the table."""
    reasons = [
        found[1]
        for path in TESTS.rglob("test_*.py")
        for found in re.finditer(r'\brequire\([^\n]*, f?"([^"{:]+):', path.read_text(encoding="utf-8"))
    ]
    assert len(reasons) > 10
    assert set(reasons) <= host.MEANING.keys()


@pytest.mark.parametrize("variable", [host.KERNEL, host.TOOLCHAINS])
def test_a_missing_feature_is_a_skip_and_in_ci_a_failure(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Its variable turns the skip into a failure that names the feature; what is there is neither."""
    for each in (host.KERNEL, host.TOOLCHAINS):
        monkeypatch.delenv(each, raising=False)
    host.require(True, "seccomp: never said", unless=variable)
    with pytest.raises(pytest.skip.Exception, match="seccomp: too old"):
        host.require(False, "seccomp: too old", unless=variable)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(pytest.fail.Exception, match="required of this host: seccomp: too old"):
        host.require(False, "seccomp: too old", unless=variable)


def test_continuous_integration_requires_both() -> None:
    """Nothing is skipped there for want of a kernel's feature or of a compiler."""
    script = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert [f"export {each}=1" in script.splitlines() for each in (host.KERNEL, host.TOOLCHAINS)] == [True, True]
