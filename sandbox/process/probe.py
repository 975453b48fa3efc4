"""The entry of a zygote whose workers run any Python they are sent: what an attacker who broke the language has.

A daemon's workers never have it. What an attempt needs is imported before the lock-down.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import decimal
import encodings.idna
import errno
import fcntl
import gc
import hashlib
import json
import math
import mmap
import os
import re
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

from sandbox.contract import exit_codes
from sandbox.process.channel import Channel
from sandbox.process.children import Children
from sandbox.process.syscalls import ANSWER_FD, QUESTION_FD

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
RING: list[int] = []
PRELOADED = (datetime, decimal, encodings, hashlib, json, math, re, traceback)


def prepare() -> None:
    """Install a handler, as the soft timeout does."""
    signal.signal(signal.SIGALRM, lambda *_: RING.append(1))


def raw(number: int, *args: int) -> int:
    """Make a system call past every wrapper; raise OSError as wrappers do."""
    result: int = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_ulong(arg & (1 << 64) - 1) for arg in args])
    if result == -1:
        raise OSError(ctypes.get_errno(), "raw")
    return result


def serve(channel: Channel, view: memoryview, ready: bytes, children: Children | None = None) -> NoReturn:
    """Report, then run what is sent; the value of `result` is the answer."""
    channel.write(ready)

    def answer() -> NoReturn:
        """Be a template's child: `children.serve(answer)`."""
        _answer(channel, {"view": view})
        os._exit(exit_codes.ANSWERED)

    while True:
        _answer(channel, {"view": view, "children": children, "answer": answer})


def _answer(channel: Channel, given: dict[str, Any]) -> None:
    source = channel.read().decode()
    scope: dict[str, Any] = {
        "contextlib": contextlib, "ctypes": ctypes, "errno": errno, "fcntl": fcntl, "gc": gc, "libc": LIBC,
        "mmap": mmap, "os": os, "raw": raw, "resource": resource, "select": select, "signal": signal,
        "socket": socket, "struct": struct, "sys": sys, "threading": threading, "time": time, "ring": RING,
        "question_fd": QUESTION_FD, "answer_fd": ANSWER_FD, "result": None, **given,
    }  # fmt: skip
    try:
        exec(source, scope)  # noqa: S102  the point of a probe
        answer = {"value": scope["result"]}
    except MemoryError:
        answer = {"error": "MemoryError", "errno": None}
    except OSError as error:
        answer = {"error": "OSError", "errno": error.errno}
    except Exception as error:  # noqa: BLE001  whatever it was, the test wants to know
        answer = {"error": f"{type(error).__name__}: {error}", "errno": None}
    scope.clear()
    channel.write(json.dumps(answer).encode())
