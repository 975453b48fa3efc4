"""What a worker's self-test can be asked to try, by name: ways out that every locked worker must find closed."""

from __future__ import annotations

from typing import Final

READ_FILE: Final = "read a file"
READ_ENVIRONMENT: Final = "read its environment"
OPEN_SOCKET: Final = "open a socket"
FORK: Final = "fork a process"
EXECUTE: Final = "execute a program"
MAP_EXECUTABLE: Final = "map executable memory"
SIGNAL_PARENT: Final = "signal its parent"

ATTEMPTS: Final = (READ_FILE, READ_ENVIRONMENT, OPEN_SOCKET, FORK, EXECUTE, MAP_EXECUTABLE, SIGNAL_PARENT)
