"""What an apply does and what a reader makes of it, in every kind of store."""

import hashlib
from dataclasses import replace

import pytest

from runtime.catalog import applies, images, tenant_rows
from runtime.catalog.base import Binding, Definition, Flow, Snapshot
from runtime.catalog.comparison import ApplyResult
from runtime.catalog.database import Connection, Database
from runtime.core.model import Experience, Merge, OnError, Policy, Settings
from runtime.errors import CatalogError
from tests.fixtures.stores import alter


def define(tenant: str, *sources: str, settings: Settings | None = None, secret: str | None = None) -> Definition:
    by_sha = {hashlib.sha256(source.encode()).hexdigest(): source for source in sources}
    bindings = tuple(Binding(f"a{at}", sha) for at, sha in enumerate(by_sha))
    secrets = {"a0": {"KEY": secret}} if secret is not None else {}
    return Definition(Flow(tenant, settings or Settings(), bindings, secrets), by_sha)


def load(store: Database, image: images.Image | None = None) -> images.Image | None:
    with store.reading() as connection:
        return images.read(connection, image, store.name)


def snapshot(store: Database) -> Snapshot:
    image = load(store)
    assert image is not None
    return image.snapshot


@pytest.fixture
def store(empty_store: Database) -> Database:
    return empty_store


class TestApply:
    def test_what_is_written_is_what_is_read(self, store: Database) -> None:
        """Settings, bindings in order, sources and secrets come back as they were."""
        settings = Settings(Experience.CLASSIC, Policy.ADAPTIVE, ("sms", "otp"), Merge.STRICTEST, True, True, True)
        first = define("acme", "x = 1\n", "é = '\U0001f600'\n", settings=settings, secret="hush")
        bindings = (replace(first.flow.bindings[0], on_error=OnError.DENY, timeout_us=5000), first.flow.bindings[1])
        first = replace(first, flow=replace(first.flow, bindings=bindings))
        second = define("beta")
        result = applies.apply(store, [first, second])
        assert result == ApplyResult(1, ("acme", "beta"), (), (), ())
        read = snapshot(store)
        assert read.revision == 1
        assert dict(read.tenants) == {"acme": first.flow, "beta": second.flow}
        assert dict(read.sources) == dict(first.sources)

    def test_repetition_changes_nothing(self, store: Database) -> None:
        """The same definitions again keep the revision, so no daemon reloads."""
        definitions = [define("acme", "x", secret="s"), define("beta")]
        applies.apply(store, definitions)
        assert applies.apply(store, reversed(definitions)) == ApplyResult(1, (), (), ("acme", "beta"), ())

    @pytest.mark.parametrize(
        "changed",
        [
            define("acme", "y", secret="s"),
            define("acme", "x", "y", secret="s"),
            define("acme", "x", secret="t"),
            define("acme", "x"),
            define("acme", "x", secret="s", settings=Settings(policy=Policy.ALWAYS)),
        ],
    )
    def test_any_change_is_one_revision(self, store: Database, changed: Definition) -> None:
        """A changed source, binding, secret or setting counts, once, and only for its tenant."""
        applies.apply(store, [define("acme", "x", secret="s"), define("beta")])
        assert applies.apply(store, [changed, define("beta")]) == ApplyResult(2, (), ("acme",), ("beta",), ())
        assert snapshot(store).tenants["acme"] == changed.flow

    def test_other_tenants_stay_unless_pruned(self, store: Database) -> None:
        """An apply speaks of its own tenants; only --prune makes the store equal to the directory."""
        applies.apply(store, [define("acme", "x"), define("beta", "y")])
        assert applies.apply(store, [define("acme", "x")]).pruned == ()
        assert set(snapshot(store).tenants) == {"acme", "beta"}
        assert applies.apply(store, [define("acme", "x")], prune=True) == ApplyResult(2, (), (), ("acme",), ("beta",))
        read = snapshot(store)
        assert set(read.tenants) == {"acme"}
        assert list(read.sources.values()) == ["x"]
        assert applies.apply(store, [define("beta", "y")]) == ApplyResult(3, ("beta",), (), (), ())

    def test_a_tenant_given_twice_is_refused(self, store: Database) -> None:
        """It is not clear which of the two should win."""
        with pytest.raises(CatalogError, match="tenant 'acme' is given twice"):
            applies.apply(store, [define("acme"), define("acme", "x")])

    def test_a_revision_is_immutable(self, store: Database) -> None:
        """The store itself refuses to change a source under its hash."""
        applies.apply(store, [define("acme", "x")])
        with pytest.raises(CatalogError, match="immutable"):
            alter(store, "UPDATE revisions SET source = 'y'")

    def test_anything_raised_inside_rolls_back(self, store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is half-written when we fail ourselves after the first tenant."""
        replaced = tenant_rows.replace_tenant

        def once(connection: Connection, definition: Definition, digest: bytes, revision: int) -> None:
            replaced(connection, definition, digest, revision)
            raise RuntimeError("stop")

        monkeypatch.setattr(applies, "replace_tenant", once)
        with pytest.raises(RuntimeError, match="stop"):
            applies.apply(store, [define("beta"), define("gamma")])


class TestIncremental:
    def test_nothing_changed(self, store: Database) -> None:
        """A reader that is up to date gets nothing."""
        applies.apply(store, [define("acme", "x")])
        assert load(store, load(store)) is None

    def test_only_what_changed_is_read(self, store: Database) -> None:
        """Unchanged tenants keep their objects and are not read again: damage to their rows goes unseen."""
        applies.apply(store, [define(f"t{at}", f"x{at}", "shared") for at in range(50)])
        first = load(store)
        assert first is not None
        alter(store, "UPDATE bindings SET on_error = 'shrug' WHERE tenant <> 't7'")
        applies.apply(store, [define("t7", "new", "shared")])
        second = load(store, first)
        assert second is not None
        assert (second.changed, second.removed, second.snapshot.revision) == (1, 0, 2)
        for tenant, flow in second.snapshot.tenants.items():
            assert (flow is first.snapshot.tenants[tenant]) is (tenant != "t7")
        with pytest.raises(CatalogError):
            load(store)

    def test_sources_come_and_go_with_their_use(self, store: Database) -> None:
        """A source is in the snapshot as long as some binding uses it, and no longer."""
        applies.apply(store, [define("a", "one", "shared"), define("b", "shared")])
        image = load(store)
        steps: list[tuple[list[Definition], bool, set[str]]] = [
            ([define("a", "two", "shared")], False, {"two", "shared"}),
            ([define("a", "two")], False, {"two", "shared"}),
            ([define("a", "two")], True, {"two"}),
            ([define("b", "two"), define("a")], False, {"two"}),
            ([define("b", "one")], False, {"one"}),
        ]
        for definitions, prune, sources in steps:
            applies.apply(store, definitions, prune=prune)
            image = load(store, image)
            assert image is not None
            assert set(image.snapshot.sources.values()) == sources
            assert image.snapshot == snapshot(store)

    def test_several_applies_are_one_step(self, store: Database) -> None:
        """A reader that slept through three applies arrives at the last."""
        applies.apply(store, [define("a", "1"), define("b", "1")])
        image = load(store)
        applies.apply(store, [define("c", "2")])
        applies.apply(store, [define("a", "3")])
        applies.apply(store, [define("a", "3"), define("c", "2")], prune=True)
        image = load(store, image)
        assert image is not None
        assert (image.snapshot.revision, image.changed, image.removed) == (4, 2, 1)
        assert image.snapshot == snapshot(store)

    def test_a_snapshot_cannot_be_changed(self, store: Database) -> None:
        """Logins share it, so its mappings refuse to be written."""
        applies.apply(store, [define("a", "1", secret="s")])
        read = snapshot(store)
        for mapping in (read.tenants, read.sources, read.tenants["a"].secrets, read.tenants["a"].secrets["a0"]):
            with pytest.raises(TypeError):
                mapping["x"] = "y"  # type: ignore[index]  # what is tested
