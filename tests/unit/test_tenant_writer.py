"""A tenant that is written as files is read back as the same one, whatever its names and texts are."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import directory, tenant_writer
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.differences import without_values
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.secret_values import Secrets
from runtime.catalog.tenant_writer import Exported
from runtime.core.model import FACTOR_NAMES, Experience, Merge, OnError, Policy, Settings
from runtime.errors import CatalogError, ConfigError
from tests.fixtures.tenants import define

NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,8}\Z")
PRINTABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp", "Cf", "Co", "Zs")), min_size=1, max_size=12
)
WORDS = st.sampled_from(
    ["yes", "no", "null", "~", "1", "1.5", ".5e3", "0x10", "12:30", "- a", "a: b", "#", "{", "true"]
)
SETTINGS = st.builds(
    Settings,
    experience=st.just(Experience.NEW),
    policy=st.sampled_from(Policy),
    factors=st.lists(st.sampled_from(FACTOR_NAMES), unique=True).map(
        lambda more: ("otp", *(n for n in more if n != "otp"))
    ),
    merge=st.sampled_from(Merge),
    none_lifts_adaptive=st.booleans(),
    step_up=st.booleans(),
    remember_lifetime_h=st.integers(200, 2000),
    remember_idle_h=st.integers(1, 200),
)
HYDRA = st.builds(
    lambda claim, count: HookDoor("hydra", "claim", ("s" * 20,) * count, {"claim": claim, "acr": "a"}),
    WORDS,
    st.integers(1, 2),
)


@st.composite
def definitions(draw: Any) -> Definition:
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    sources = {
        name: draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
        for name in names
    }
    bindings = tuple(
        Binding(
            name,
            hashlib.sha256(source.encode()).hexdigest(),
            draw(st.sampled_from(OnError)),
            draw(st.none() | st.integers(1, 20_000).map(lambda ms: ms * 1000)),
        )
        for name, source in sources.items()
    )
    secrets = {
        name: dict.fromkeys(draw(st.lists(PRINTABLE | WORDS, min_size=1, max_size=3, unique=True)), "v")
        for name in names
    }
    doors = draw(st.just({}) | HYDRA.map(lambda door: {"hydra": door}))
    flow = Flow("acme", draw(SETTINGS), bindings, secrets, doors=doors)
    return Definition(flow, {hashlib.sha256(source.encode()).hexdigest(): source for source in sources.values()})


def read_back(folder: Path) -> Definition:
    (found,) = directory.load(folder, None, Secrets(placeholders=True)).definitions
    return found


@given(definition=definitions())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, definition: Definition) -> None:
    folder = tmp_path_factory.mktemp("out") / "tenants"
    tenant_writer.export(folder, [Exported(definition, "by \x1b[2J\nacme: no", "{}")])
    found = read_back(folder)
    assert without_values(found.flow) == without_values(definition.flow)
    assert found.sources == definition.sources


def exported(definition: Definition) -> list[Exported]:
    return [Exported(definition, "", "{}")]


def test_a_name_from_a_hostile_store_leads_nowhere(tmp_path: Path) -> None:
    """Nothing is written, neither outside the directory nor in it."""
    bad = define("acme", "x")
    for definition in (
        dataclasses.replace(bad, flow=dataclasses.replace(bad.flow, tenant="../acme")),
        dataclasses.replace(
            bad,
            flow=dataclasses.replace(bad.flow, bindings=(dataclasses.replace(bad.flow.bindings[0], action="../../x"),)),
        ),
    ):
        with pytest.raises(CatalogError, match="no name of a tenant or action"):
            tenant_writer.export(tmp_path / "out", exported(definition))
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/acme").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        tenant_writer.export(tmp_path / "out", exported(define("acme", "x")), force=True)
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        tenant_writer.export(tmp_path / "no" / "such" / "place", exported(define("acme", "x")))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no directory"):
        tenant_writer.export(tmp_path / "file", exported(define("acme", "x")), force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
