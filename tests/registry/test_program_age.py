"""A program that runs on while a newer one upgrades the registry to what the old one must not touch any more."""

import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.migrating import Migration, known_migrations, migrate
from sensos_auth.registry.program_age import ProgramTooOld
from sensos_auth.registry.revocations import registry_version
from sensos_auth.registry.signing_keys import signing_keys_version
from sensos_auth.registry.tenants import create_tenant, list_tenants
from tests.killed_at_statement import LATER_MIGRATIONS
from tests.registries import START, Place

_EXPANDED = known_migrations() + LATER_MIGRATIONS
CONTRACTED = [*_EXPANDED, Migration(9003, "contract", "UPDATE clock SET oldest_program = 9001; DROP TABLE later;")]


def _keys_version(registry: Registry) -> int:
    with registry.view() as view:
        return int(view.statements.clock(view.connection)[1])


@pytest.fixture
def registry(place: Place) -> Registry:
    """Return a registry of this program that holds something."""
    registry = place.open()
    with registry.change("me") as change:
        create_tenant(change, name="kept")
    return registry


def test_z50_program_goes_on_while_the_registry_only_expands(place: Place, registry: Registry) -> None:
    """Nothing is said to it, and nothing counts as changed."""
    before = _keys_version(registry)
    migrate(place.connect(), START, _EXPANDED)
    with registry.change("me") as change:
        create_tenant(change, name="new")
    with registry.observation() as view:
        assert (registry_version(view), signing_keys_version(view)) == (change.version, before)


def test_z50_program_that_has_become_too_old_changes_nothing(place: Place, registry: Registry) -> None:
    """What it does is refused with what to do, and undone."""
    migrate(place.connect(), START, CONTRACTED)
    refused = pytest.raises(ProgramTooOld, match=r"newer Sensos Auth has upgraded.*start the newer release")
    with refused, registry.change("me") as change:
        create_tenant(change, name="new")
    with refused, registry.observation() as view:
        raise AssertionError(view)
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["kept"]


def test_z50_program_that_has_become_too_old_hears_of_it_where_it_reads_the_clock(
    place: Place, registry: Registry
) -> None:
    """The signing keys count as changed, so that whoever issues reads them before the next token, and is refused."""
    before = _keys_version(registry)
    migrate(place.connect(), START, CONTRACTED)
    with registry.view() as view:
        for read in (signing_keys_version, registry_version):
            with pytest.raises(ProgramTooOld):
                read(view)
    assert _keys_version(registry) > before


def test_z50_program_that_knows_enough_goes_on_and_reads_the_keys_anew(place: Place, registry: Registry) -> None:
    """The version at which they count as changed is one that the registry gives to nothing else."""
    script = "UPDATE clock SET oldest_program = 3;"
    before = _keys_version(registry)
    migrate(place.connect(), START, [*_EXPANDED, Migration(9003, "contract", script)])
    with registry.view() as view:
        assert before < signing_keys_version(view) == registry_version(view)
    with registry.change("me") as change:
        create_tenant(change, name="new")
    with registry.view() as view:
        assert signing_keys_version(view) < change.version == registry_version(view)
