"""What a locked worker may use, as the kernel tells: each limit of the layer, beside a worker without it."""

from __future__ import annotations

import pytest

from tests.security.cells import LAYERS, cells, only, require

pytestmark = pytest.mark.asyncio

READ = (
    "names = 'CORE FSIZE NPROC MSGQUEUE MEMLOCK RTPRIO NICE NOFILE STACK CPU AS DATA'.split()\n"
    "result = {name: list(resource.getrlimit(getattr(resource, 'RLIMIT_' + name))) for name in names}"
)
NONE = ("CORE", "FSIZE", "NPROC", "MSGQUEUE", "MEMLOCK", "RTPRIO", "NICE")


async def test_limits_are_in_force() -> None:
    """No core, file, process, queue, locked page or priority; one descriptor; an end to time, memory and stack."""
    async with cells(only("rlimits")) as made, made.cell() as cell:
        require(cell.layers["rlimits"].active, f"rlimits: {cell.layers['rlimits'].detail}")
        found = (await cell.run(READ)).value
    async with cells(LAYERS) as made:
        control = (await made.probe(READ)).value
    assert all(found[name] == [0, 0] for name in NONE), found
    assert found["NOFILE"][0] == found["NOFILE"][1] <= 4
    for name in ("STACK", "CPU", "AS", "DATA"):
        soft, hard = found[name]
        assert 0 < soft <= hard < 1 << 62, name
    assert control["FSIZE"] != [0, 0]
    assert control["NOFILE"] != found["NOFILE"]
    assert control["AS"] != found["AS"]
