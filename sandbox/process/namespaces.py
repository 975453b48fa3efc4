"""The zygote's own cage: an unprivileged uid, and namespaces with nothing in them, where the host allows them."""

from __future__ import annotations

import contextlib
import os
from typing import Final, NoReturn

from sandbox.contract.layers import CGROUP, IPC, MOUNT, NAMESPACES, NET, PID, UID, USER, UTS, Layer
from sandbox.process import kernel

_NAMESPACES: Final = {
    NET: (kernel.CLONE_NEWNET, "no interface but a loopback that is down"),
    MOUNT: (kernel.CLONE_NEWNS, "an empty, read-only root, no /proc"),
    IPC: (kernel.CLONE_NEWIPC, "no System V object or message queue of others"),
    UTS: (kernel.CLONE_NEWUTS, "a host name of its own"),
    CGROUP: (kernel.CLONE_NEWCGROUP, "its own cgroup is the root"),
    PID: (kernel.CLONE_NEWPID, "no process but the zygote and its workers"),
}

_MOUNT_POINTS: Final = ("/tmp", "/run", "/var", "/mnt", "/proc")


class Cage:
    """The layers of a zygote, and whether it has entered each."""

    __slots__ = ("_found", "_proc", "_wanted")

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._found: dict[str, tuple[bool, str]] = {}
        # The id maps and our own size are read from here when /proc itself is gone.
        self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def enter(self, uid: int, gid: int) -> None:
        """Enter every wanted layer that the host allows; a refused one is noted with its reason, never raised.

        With CAP_SYS_ADMIN the namespaces come first and belong to the host's user namespace, over which
        no process in here has any right. Without it they can only come out of a user namespace of our own.
        """
        if os.geteuid() == 0:
            self._unshare()
        if UID in self._wanted:
            self._become(uid, gid)
        if USER in self._wanted:
            self._own_user_namespace()
            self._unshare()
        if self._wanted & {UID, USER}:
            with contextlib.suppress(OSError):
                kernel.drop_capabilities()

    def active(self, name: str) -> bool:
        """Say whether a layer holds."""
        return self._found.get(name, (False, ""))[0]

    def layers(self) -> list[Layer]:
        """Return the report, in a fixed order."""
        return [Layer(name, *self._found.get(name, (False, "not asked for"))) for name in (UID, *NAMESPACES)]

    def open_own_size(self) -> int:
        """Return a descriptor of our own /proc/self/statm, and forget /proc. Raises: OSError."""
        try:
            return os.open("self/statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        finally:
            os.close(self._proc)

    def _unshare(self) -> None:
        for name, (flag, detail) in _NAMESPACES.items():
            if name not in self._wanted or self.active(name):
                continue
            try:
                kernel.unshare(flag)
            except OSError as error:
                # What was refused to root says more than what is refused to whom it has become since.
                self._found.setdefault(name, (False, f"the host refuses it: {error.strerror}"))
                continue
            self._found[name] = (True, detail)
            if name == MOUNT:
                try:
                    _empty_root()
                except OSError as error:
                    self._found[name] = (False, f"the host refuses an empty root: {error.strerror}")

    def _become(self, uid: int, gid: int) -> None:
        if os.geteuid() == 0:
            try:
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            except OSError as error:
                self._found[UID] = (False, f"still uid {os.geteuid()}: {error.strerror}")
                return
        self._found[UID] = (True, f"uid {os.geteuid()}, gid {os.getegid()}, no capabilities")

    def _own_user_namespace(self) -> None:
        uid, gid = os.geteuid(), os.getegid()
        # A change of uid makes a process not dumpable, and then its id maps belong to root. Undone right after.
        dumpable = kernel.prctl(kernel.PR_GET_DUMPABLE)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
            detail = f"only uid {uid} and gid {gid} exist"
            try:
                # Source: user_namespaces(7): without privilege a gid map needs setgroups denied first.
                for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                    self._write_proc(f"self/{name}", text)
            except OSError as error:
                detail = f"no id exists: {error.strerror}"
            self._found[USER] = (True, detail)
        except OSError as error:
            self._found[USER] = (False, f"the host refuses it: {error.strerror}")
        finally:
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1 if dumpable == 1 else 0)

    def _write_proc(self, path: str, text: str) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._proc)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _empty_root() -> None:
    """Replace the file tree by an empty, read-only one. Raises: OSError."""
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE, "")
    target = next((path for path in _MOUNT_POINTS if os.path.isdir(path)), "/")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    options = "size=4k,nr_inodes=1,mode=555"
    kernel.mount("tmpfs", target, "tmpfs", flags, options)
    os.chdir(target)
    kernel.pivot_root_here()
    kernel.umount_detach(".")
    os.chdir("/")
    kernel.mount("", "/", "", kernel.MS_REMOUNT | kernel.MS_RDONLY | flags, options)


def become_init(name: str) -> None:
    """Fork into the new PID namespace and return there as its process 1; the caller's process only waits for it.

    Each dies with the other: this one by the parent-death signal, the namespace with its process 1.
    """
    child = os.fork()
    if child == 0:
        return
    _wait(child, name)


def _wait(child: int, name: str) -> NoReturn:
    with contextlib.suppress(OSError):
        kernel.set_name(name)
    kernel.close_from(0)
    while True:
        try:
            _, status = os.waitpid(child, 0)
        except InterruptedError:
            continue
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
