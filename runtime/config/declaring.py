"""How a setting is declared: its default, its bounds and its line of the reference, which `settings` reads by.

Must not import pydantic, which takes longer than all else that `vestibule run` imports.
"""

from dataclasses import field
from typing import TypeVar

T = TypeVar("T")


def declared(default: T, doc: str) -> T:
    """Declare a setting: its default, and its line of the reference."""
    return field(default=default, metadata={"description": doc})


def bounded(default: T, low: float, high: float, doc: str) -> T:
    """Declare a setting with bounds, which are allowed too."""
    return field(default=default, metadata={"description": doc, "ge": low, "le": high})
