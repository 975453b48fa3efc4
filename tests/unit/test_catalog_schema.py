"""Which programs a schema is good for: those of its own release and of the release before."""

import pytest

from runtime.catalog import schema
from runtime.catalog.schema import Migration
from runtime.errors import CatalogUnavailable


def steps(*releases: str, breaking: int = 0) -> list[Migration]:
    return [Migration(release, ("SELECT 1",), breaking=at == breaking) for at, release in enumerate(releases, 1)]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (steps("0.1"), 0),
        (steps("0.1", "0.1"), 0),
        (steps("0.1", "0.1", "0.2"), 2),
        (steps("0.1", "0.2", "0.2", "0.2"), 1),
        (steps("0.1", "0.2", "0.2", "0.2", breaking=3), 3),
        (steps("0.1", "0.2", "0.3"), 2),
    ],
)
def test_the_release_before_can_use_it_unless_a_step_is_breaking(made: list[Migration], wanted: int) -> None:
    """A program of two releases before cannot."""
    assert schema.oldest(made) == wanted


def test_what_is_newer_is_used_or_refused_by_what_it_says_of_itself() -> None:
    """The control: a schema one step newer that says that this program can use it."""
    version = schema.SCHEMA_VERSION
    schema.refuse_newer("X", version, version, "0.9")
    schema.refuse_newer("X", version + 1, version, "0.9")
    with pytest.raises(CatalogUnavailable) as caught:
        schema.refuse_newer("X", version + 2, version + 1, "0.9")
    wanted = f"the store X was written by a newer Vestibule (0.9) (schema {version + 2}, this one knows {version})"
    assert str(caught.value) == f"{wanted}; upgrade this one"


def test_releases_are_in_order() -> None:
    """A step is appended, never put between others."""
    releases = [tuple(map(int, step.release.split("."))) for step in schema.MIGRATIONS]
    assert releases == sorted(releases)
    assert len(schema.MIGRATIONS) == schema.SCHEMA_VERSION
