"""The Python scripts of deploy/ as modules, for their tests: they have no suffix, so `import` does not find them."""

import importlib.machinery
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def script(name: str) -> ModuleType:
    """Load one of them, without running it."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(DEPLOY / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


openapi = script("openapi")
contract_hash: Callable[[], str] = script("clients/contract-hash").contract_hash
pages = script("pages")
