"""Unix sockets to listen on: a path is free, or a dead socket that is removed, or in use; and who may connect.

Must not know what is spoken on them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# A socket whose backlog is full answers nothing for a while, and lives.
_ANSWER_S: Final = 1.0


def clear(path: str) -> None:
    """Make a path free to be bound: remove a socket there that no process listens on. Raises: OSError, in words."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        if not Path(path).parent.is_dir():
            raise OSError(errno.ENOENT, f"there is no folder {Path(path).parent}") from None
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.EEXIST, "a file that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except TimeoutError:
            pass
    raise OSError(errno.EADDRINUSE, "another process listens there")


@contextlib.contextmanager
def owner_only() -> Iterator[None]:
    """Let what is bound inside be its owner's alone, until its mode is set: no other user connects in between."""
    # Of the whole process, and stricter than before: a file that another thread makes meanwhile is ours alone too.
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def bind(path: str, mode: int) -> socket.socket:
    """Return a socket that is bound to a path with a mode, and does not listen yet. Raises: OSError."""
    clear(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with owner_only():
            made.bind(path)
        os.chmod(path, mode)
    except BaseException:
        made.close()
        raise
    return made


def identity(path: str) -> tuple[int, int]:
    """Return what tells this socket from a later one at the same path. Raises: OSError."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def remove(path: str, made: tuple[int, int]) -> None:
    """Remove a socket, unless another process has put its own there by now."""
    with contextlib.suppress(OSError):
        if identity(path) == made:
            os.unlink(path)
