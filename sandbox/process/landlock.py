"""Landlock with no rule at all: every right that the running kernel can handle is handled, and therefore refused.

The zygote makes the ruleset once, and each child enters it, which makes every worker a domain of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from sandbox.process import kernel

_CREATE_RULESET_VERSION: Final = 1


class _Attributes(ctypes.Structure):
    # struct landlock_ruleset_attr; a kernel that knows fewer fields accepts zeroes in the rest
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


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
    """What the running kernel can refuse. `enter` restricts a process for good; it needs no_new_privs or root."""

    __slots__ = ("_fd", "abi", "detail", "enter")

    def __init__(self) -> None:
        """Ask the kernel for its rights, and make the ruleset.

        Raises: OSError with ENOSYS (not built) or EOPNOTSUPP (not among the active security modules).
        """
        self.abi = kernel.syscall(kernel.SYS_LANDLOCK_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
        attributes = _Attributes(_handled("fs"), _handled("net"), _handled("scoped"))
        parts = [f"{attributes.fs.bit_count()} file rights"]
        if attributes.net:
            parts.append("TCP")
        if attributes.scoped:
            parts.append("signals and abstract sockets")
        self.detail = f"ABI {self.abi}: no {', no '.join(parts)}"
        self._fd = _create(attributes)
        self.enter = kernel.call("syscall", kernel.SYS_LANDLOCK_RESTRICT_SELF, self._fd, 0)

    def close(self) -> None:
        """Let go of the ruleset."""
        os.close(self._fd)
