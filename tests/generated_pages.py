"""The script deploy/pages as a module, for the tests of the pages."""

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType


def _loaded() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "deploy" / "pages"
    spec = importlib.util.spec_from_loader("pages", importlib.machinery.SourceFileLoader("pages", str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = _loaded()
