"""The registries of these tests."""

from tests.registries import _end_postgresql, clock, place, registry, sqlite_registry

__all__ = ["_end_postgresql", "clock", "place", "registry", "sqlite_registry"]
