"""The text of a revision: the source of an action, alone or with the shared files of its tenant.

Both sides use it: a revision is hashed, stored and sent as one text. Must not know files, nor parse Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

PACKAGE: Final = "lib"
"""What shared files are imported from: `from lib import NAME` is lib/NAME.py."""
MAX_FILES: Final = 50
MAX_BYTES: Final = 200_000
"""Of all shared files of a tenant together: each action that imports from them is sent with all of them."""
FILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

# No source begins with it: neither the compiler nor the reader of a folder takes one that does.
MARK: Final = "\x01"
_NAMED: Final = re.compile(rf"\b{PACKAGE}\b")


class Bundle(NamedTuple):
    """An action's source, and the shared files by name. Without an action, the files alone are to be checked.

    `uses` are the groups of `api` that the action is checked for; a revision says nothing about that.
    """

    action: str | None
    files: Mapping[str, str]
    uses: Sequence[str] | None = None


def file_of(name: str) -> str:
    """Return what a shared file is called in its tenant's folder, and in messages."""
    return f"{PACKAGE}/{name}.py"


def is_file(name: str) -> bool:
    """Tell whether a text is what a shared file is called."""
    return name.startswith(f"{PACKAGE}/") and name.endswith(".py") and FILE_NAME.fullmatch(name[4:-3]) is not None


def pack(action: str | None, files: Mapping[str, str]) -> str:
    """Return an action's text with the shared files; the action's own where it names none of them.

    An import must spell the word, so that a text without it needs no file. Nothing is parsed here.
    """
    if action is not None and (not files or not _NAMED.search(action)):
        return action
    return MARK + json.dumps([action, dict(sorted(files.items()))], ensure_ascii=False, separators=(",", ":"))


def to_check(text: str, uses: Sequence[str] | None) -> str:
    """Return a revision's text with the groups of `api` that one binding of it lets it call."""
    if uses is None:
        return text
    action, files, _ = unpack(text)
    return MARK + json.dumps([action, files, list(uses)], ensure_ascii=False, separators=(",", ":"))


def unpack(text: str) -> Bundle:
    """Return the parts of a text. Raises: ValueError: it begins as one of ours and is none."""
    if text[:1] != MARK:
        return Bundle(text, {})
    return Bundle(*json.loads(text[1:]))
