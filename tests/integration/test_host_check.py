"""What `vestibule doctor` knows: the layers of a real worker, and real attempts to break out of one."""

from __future__ import annotations

import pytest

from runtime.config.effective import Config
from runtime.doctor import host_check
from runtime.errors import WorkerStartError
from sandbox.contract.attempts import ATTEMPTS
from tests.security.cells import LAYERS, hold


async def test_attempts_are_contained() -> None:
    """Under all layers no attempt succeeds; every layer is reported, and a missing one comes with its remedy."""
    found = await host_check.check_host(Config())
    assert {layer.name for layer in found.layers} == LAYERS
    assert all(bool(host_check.remedy(layer)) is not layer.active for layer in found.layers)
    assert [attempt.name for attempt in found.attempts] == list(ATTEMPTS)
    assert all(attempt.contained for attempt in found.attempts)


async def test_attempts_succeed_without_layers() -> None:
    """Control: with every layer off each attempt succeeds, and the check says so."""
    found = await host_check.check_host(Config(), hold(LAYERS))
    assert found.layers == ()
    assert all(attempt.tried and not attempt.contained for attempt in found.attempts)


async def test_worker_that_cannot_start_is_an_error() -> None:
    """A zygote that cannot start is one error in one line."""
    with pytest.raises(WorkerStartError, match="no_such_module"):
        await host_check.check_host(Config(), hold(entry="no_such_module"))


def test_every_layer_that_depends_on_the_host_has_a_remedy() -> None:
    """No remedy is for a layer that does not exist; those without one do not depend on the host."""
    assert set(host_check.REMEDIES) <= LAYERS
    assert set(host_check.REMEDIES) | {"environment", "descriptors", "not_dumpable", "parent_death"} == LAYERS
