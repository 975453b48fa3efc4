"""Read files below a folder and none outside of it, whatever links it holds and however it changes meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

# As many as the kernel follows. Source: path_resolution(7).
_MAX_LINKS = 40

_Trail = list[tuple[str, int]]


class Outside(Exception):
    """A path leads out of the folder. `link` is the symbolic link, or the `..`, that does."""

    def __init__(self, link: str) -> None:
        self.link = link
        super().__init__(link)


class NotAFile(Exception):
    """What stands in the place of a file is a folder, a pipe, a device or a socket."""


class Folder:
    """An open folder. Paths are relative to it, and each component is opened by itself, from the one before it.

    So a link that is changed while a path is walked changes nothing: what was checked is what is read.
    """

    def __init__(self, path: str | os.PathLike[str], at: Folder | None = None) -> None:
        """Open a folder by its path, or one that lies in another folder and is no link. Raises: OSError."""
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        if at is None:
            self._descriptor = os.open(path, flags)
        else:
            self._descriptor = os.open(path, flags | os.O_NOFOLLOW, dir_fd=at._descriptor)

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def status(self, name: str, *, follow: bool) -> os.stat_result:
        """Return the status of an entry, or of what a link leads to. Raises: OSError."""
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=follow)

    def names(self, path: str = ".") -> list[str]:
        """List a folder below this one, ordered. Raises: OSError, Outside."""
        with self._walk(path) as trail:
            listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=trail[-1][1])
            try:
                return sorted(os.listdir(listed))
            finally:
                os.close(listed)

    def read(self, path: str, limit: int) -> tuple[bytes, os.stat_result]:
        """Return at most limit + 1 bytes of a plain file, and its status. Raises: OSError, Outside, NotAFile."""
        with self._walk(path) as trail:
            name, descriptor = trail[-1]
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                # Never opened: a pipe would hold us, and opening a device does something.
                raise NotAFile
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            with open(os.open(name, flags, dir_fd=trail[-2][1]), "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) != (found.st_dev, found.st_ino):
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
                return file.read(limit + 1), status

    @contextlib.contextmanager
    def _walk(self, path: str) -> Iterator[_Trail]:
        """Go to what a path names, through links that stay inside. Yield each component and its descriptor.

        The first is this folder: `..` steps back by one, and never beyond it. Raises: OSError, Outside.
        """
        trail = [("", self._descriptor)]
        try:
            rest = deque(path.split("/"))
            links = 0
            # The link that is being followed, for the message that names it.
            link = path
            while rest:
                part = rest.popleft()
                if part in ("", "."):
                    continue
                if part == "..":
                    if len(trail) == 1:
                        raise Outside(link)
                    os.close(trail.pop()[1])
                    continue
                found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=trail[-1][1])
                trail.append((part, found))
                if not stat.S_ISLNK(os.fstat(found).st_mode):
                    continue
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                link = "/".join(name for name, _ in trail[1:])
                target = os.readlink("", dir_fd=found)
                os.close(trail.pop()[1])
                if target.startswith("/"):
                    target = self._below(target, link)
                    while len(trail) > 1:
                        os.close(trail.pop()[1])
                rest.extendleft(reversed(target.split("/")))
            yield trail
        finally:
            for _, descriptor in trail[1:]:
                os.close(descriptor)

    def _below(self, target: str, link: str) -> str:
        """Return an absolute target as a path in this folder. Raises: Outside."""
        try:
            root = os.readlink(f"/proc/self/fd/{self._descriptor}")
        except OSError:
            raise Outside(link) from None
        if not Path(target).is_relative_to(root):
            raise Outside(link)
        return target[len(root) :]
