"""Landlock with no rule at all: every right the running kernel can handle, handled and therefore refused.

Knows landlock(7). Must not know workers. Called by `sandbox.lockdown`: the rights are asked for once in the zygote,
the ruleset is made and entered in each child, so that every worker is a domain of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from sandbox import kernel

_CREATE_RULESET_VERSION: Final = 1

NETWORK_FROM_ABI: Final = 4
SCOPES_FROM_ABI: Final = 6


class _Attributes(ctypes.Structure):
    # struct landlock_ruleset_attr; a kernel that knows fewer fields accepts zeroes in the rest
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def abi() -> int:
    """Ask the kernel for its Landlock ABI.

    Raises: OSError with ENOSYS (not built) or EOPNOTSUPP (not among the active security modules).
    """
    return kernel.syscall(kernel.SYS_LANDLOCK_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)


def _create(attributes: _Attributes) -> int:
    return kernel.syscall(kernel.SYS_LANDLOCK_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0)


def _handled(field: str) -> int:
    """Return the bits of one field that the running kernel takes: asked, not listed, so a new right is refused too."""
    bits = 0
    for bit in range(64):
        try:
            fd = _create(_Attributes(**{field: 1 << bit}))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.E2BIG):
                raise
            break
        os.close(fd)
        bits |= 1 << bit
    return bits


class Ruleset:
    """What the running kernel can refuse."""

    __slots__ = ("_attributes", "abi", "detail")

    def __init__(self) -> None:
        """Ask the kernel for its rights.

        Raises: OSError where there is no Landlock.
        """
        self.abi = abi()
        self._attributes = _Attributes(_handled("fs"), _handled("net"), _handled("scoped"))
        parts = [f"{self._attributes.fs.bit_count()} file rights"]
        if self._attributes.net:
            parts.append("TCP")
        if self._attributes.scoped:
            parts.append("signals and abstract sockets")
        self.detail = f"ABI {self.abi}: no {', no '.join(parts)}"

    def enter(self) -> None:
        """Restrict the calling process, for good. Needs no_new_privs, or CAP_SYS_ADMIN.

        Raises: OSError.
        """
        fd = _create(self._attributes)
        try:
            kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT_SELF, fd, 0)
        finally:
            os.close(fd)
