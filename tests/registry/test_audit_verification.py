"""Whatever is done to the audit trail is found, said, and said where.

``SENSOS_AUTH_TAMPERINGS`` sets the number of examples of each kind.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sensos_auth.registry import Registry, View
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.audit_chain import StoredEvent, chained_hash
from sensos_auth.registry.audit_diagnosis import Tampering
from sensos_auth.registry.audit_export import ExportedEvent, export_line, parse_line
from sensos_auth.registry.audit_verification import TrailReport, compare_with_export, holds_head, verify_trail
from sensos_auth.registry.tenants import create_tenant, disable_tenant
from tests.registries import Clock, Place

_COLUMNS = "version, position, at, actor, action, tenant_id, subject, details, hash_before, hash"
_TAMPERING = settings(
    max_examples=int(os.environ.get("SENSOS_AUTH_TAMPERINGS", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_CHANGES, _EVENTS = 6, 12


@pytest.fixture
def trail(place: Place, clock: Clock) -> Registry:
    """Return a registry with a trail of twelve events, two of each change."""
    registry = place.open()
    for number in range(_CHANGES):
        with registry.change("test:me") as change:
            tenant = create_tenant(change, name=f"tenant {number}")
            disable_tenant(change, tenant.tenant_id)
        clock.advance(1)
    return registry


class _Undone(Exception):
    pass


@contextmanager
def _tampering(registry: Registry) -> Iterator[View]:
    """Let a test do what it likes to the tables, with the triggers off; afterwards all is as it was."""
    with suppress(_Undone), registry.database.write() as connection:
        names = ("audit_events_stay", "audit_events_last") if registry.database.driver == "apsw" else ()
        for name in names:
            connection.execute(f"DROP TRIGGER {name}")
        if not names:
            connection.execute("DROP TRIGGER audit_events_stay ON audit_events")
        yield View(connection, registry._statements, 0)
        raise _Undone


def _rows(view: View) -> list[Any]:
    query = f"SELECT {_COLUMNS} FROM audit_events ORDER BY version, position"  # noqa: S608 - ours
    return list(view.connection.execute(query))


def _write(view: View, rows: list[Any]) -> None:
    """Exchange the whole table, as an editor of the file would."""
    view.connection.execute("DELETE FROM audit_events")
    for row in rows:
        names = [name.strip() for name in _COLUMNS.split(",")]
        view.statements.record_event(view.connection, **dict(zip(names, row, strict=True)))


def _found(report: TrailReport) -> list[tuple[Tampering, int, int]]:
    return [(finding.kind, finding.version, finding.position) for finding in report.findings]


def test_an_untouched_trail_is_sound(trail: Registry) -> None:
    """All events are counted, and the head is the hash of the last one."""
    with trail.view() as view:
        events = list_events(view)
        report = verify_trail(view)
    assert report == TrailReport(_EVENTS, 0, events[-1].version, events[-1].hash, [])


def test_an_empty_trail_is_sound(registry: Registry) -> None:
    """A fresh registry has no head yet."""
    with registry.view() as view:
        assert verify_trail(view) == TrailReport(0, 0, 0, None, [])


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"])
def test_the_engine_itself_refuses_to_alter_and_to_remove(trail: Registry, statement: str) -> None:
    """On both engines, also through another program."""
    with pytest.raises(Exception, match="append only"), trail.database.write() as connection:
        connection.execute(statement)


@_TAMPERING
@given(data=st.data(), index=st.integers(0, _EVENTS - 1))
def test_an_altered_event_is_found_where_it_stands(trail: Registry, data: st.DataObject, index: int) -> None:
    """Whatever column was altered, hashes among them."""
    column = data.draw(st.sampled_from([2, 3, 4, 5, 6, 7, 8, 9]))
    with _tampering(trail) as view:
        rows = _rows(view)
        row = list(rows[index])
        row[column] = 7 if column == 2 else data.draw(st.binary(min_size=32, max_size=32)) if column > 7 else "other"
        _write(view, [*rows[:index], row, *rows[index + 1 :]])
        assert _found(verify_trail(view)) == [(Tampering.ALTERED, *rows[index][:2])]


@_TAMPERING
@given(start=st.integers(0, _EVENTS - 1), count=st.integers(1, 4))
def test_removed_events_are_found_at_what_came_after_them(trail: Registry, start: int, count: int) -> None:
    """One or several in a row; at the end, the registry's own last hash tells."""
    with _tampering(trail) as view:
        rows = _rows(view)
        left = rows[:start] + rows[start + count :]
        _write(view, left)
        if start + count < _EVENTS:
            expected = (Tampering.REMOVED, *rows[start + count][:2])
        else:
            expected = (Tampering.CUT_OFF, *(left[-1][:2] if left else (0, 0)))
        assert _found(verify_trail(view)) == [expected]


_INSERTIONS: dict[str, Callable[[list[Any], int, bytes], tuple[Any, Any]]] = {
    "with a hash of nothing": lambda _, __, noise: (noise, noise),
    "without a hash": lambda _, __, ___: (None, None),
    "a copy of another": lambda rows, index, noise: tuple(rows[(index + noise[0]) % _EVENTS][8:]),
    "with the right hash": lambda rows, index, _: (rows[index - 1][9] if index else None, ...),
}


@pytest.mark.parametrize("how", _INSERTIONS)
@_TAMPERING
@given(index=st.integers(0, _EVENTS), noise=st.binary(min_size=32, max_size=32))
def test_an_inserted_event_is_found(trail: Registry, how: str, index: int, noise: bytes) -> None:
    """Between two others, at the beginning or at the end; also one whose hash somebody made right."""
    with _tampering(trail) as view:
        rows = _rows(view)
        version, position = (rows[index - 1][0], rows[index - 1][1]) if index else (1, 0)
        key = (version, position + 1) if position else (version + 1, 0)
        if index and position == 0:  # between the two of a change is no room
            return
        before, digest = _INSERTIONS[how](rows, index, noise)
        event = StoredEvent(*key, 5, "me", "tenant.created", None, "ten_x", "{}")
        row = (*event, before, chained_hash(before, event) if digest is ... else digest)
        _write(view, [*rows[:index], row, *rows[index:]])
        report = verify_trail(view)
        expected = [] if how == "without a hash" and not index else [(Tampering.INSERTED, *key)]
        assert _found(report) == expected
        assert report.unchained == (1 if not expected else 0)


@_TAMPERING
@given(places=st.tuples(st.integers(0, _EVENTS - 1), st.integers(0, _EVENTS)))
def test_a_moved_event_is_found_where_it_stands_now(trail: Registry, places: tuple[int, int]) -> None:
    """Given another version, so that it stands earlier or later than it happened."""
    old, new = places[0], places[1] // 2 * 2  # between two changes
    if new in {old, old + 1}:
        return
    with _tampering(trail) as view:
        rows = _rows(view)
        version = rows[new - 1][0] + 1 if new else 1
        moved = (version, 0, *rows[old][2:])
        _write(view, sorted([*rows[:old], moved, *rows[old + 1 :]], key=lambda row: row[:2]))
        assert _found(verify_trail(view)) == [(Tampering.MOVED, version, 0)]


@_TAMPERING
@given(places=st.tuples(st.integers(0, _EVENTS - 1), st.integers(0, _EVENTS - 1)))
def test_events_that_changed_places_are_found(trail: Registry, places: tuple[int, int]) -> None:
    """Both of them, unless they are neighbours: then something at the first of them, at least."""
    one, other = sorted(places)
    if one == other:
        return
    with _tampering(trail) as view:
        rows = _rows(view)
        exchanged = list(rows)
        exchanged[one] = (*rows[one][:2], *rows[other][2:])
        exchanged[other] = (*rows[other][:2], *rows[one][2:])
        _write(view, exchanged)
        found = _found(verify_trail(view))
        if other - one > 1:
            assert found == [(Tampering.MOVED, *rows[one][:2]), (Tampering.MOVED, *rows[other][:2])]
        assert found[0][1:] == rows[one][:2]


@_TAMPERING
@given(data=st.data(), count=st.integers(1, 4))
def test_several_things_at_once_are_never_missed(trail: Registry, data: st.DataObject, count: int) -> None:
    """Rows altered, removed and doubled at random: a trail that is not the old one is never sound."""
    with _tampering(trail) as view:
        before = _rows(view)
        rows = list(before)
        for _ in range(count):
            index = data.draw(st.integers(0, len(rows) - 1))
            what = data.draw(st.sampled_from(["alter", "remove", "double"]))
            row = rows.pop(index)
            if what == "alter":
                rows.insert(index, (*row[:3], data.draw(st.sampled_from(["x", "y"])), *row[4:]))
            elif what == "double":
                rows.insert(index, row)
                rows.append((rows[-1][0] + 10, 0, *row[2:]))
        rows.sort(key=lambda row: row[:2])
        assume(rows != before)
        _write(view, rows)
        assert verify_trail(view).findings


@_TAMPERING
@given(index=st.integers(0, _EVENTS - 1))
def test_a_chain_that_was_made_anew_is_found_by_what_was_written_down_or_exported(trail: Registry, index: int) -> None:
    """Who alters an event and every hash after it has a sound chain, but not the old head, nor the exported events."""
    with _tampering(trail) as view:
        head = audit_head(view)
        assert head is not None
        exported = [parse_line(export_line(event), "here") for event in list_events(view)]
        assert compare_with_export(view, exported) == (_EVENTS, [])
        rows = _rows(view)
        made = list(rows[:index])
        for row in rows[index:]:
            event = (
                StoredEvent(*row[:8])._replace(actor="somebody else") if len(made) == index else StoredEvent(*row[:8])
            )
            before = made[-1][9] if made else None
            made.append((*event, before, chained_hash(before, event)))
        _write(view, made)
        view.statements.write_audit_hash(view.connection, hash=made[-1][9])
        assert verify_trail(view).findings == []
        assert holds_head(view, head) is None
        count, findings = compare_with_export(view, exported)
        assert count == _EVENTS
        assert (findings[0].kind, findings[0].version, findings[0].position) == (Tampering.ALTERED, *rows[index][:2])


@_TAMPERING
@given(start=st.integers(0, _EVENTS - 1), end=st.integers(1, _EVENTS), index=st.integers(0, _EVENTS - 1))
def test_an_export_of_a_part_tells_of_that_part(trail: Registry, start: int, end: int, index: int) -> None:
    """What it does not reach is not judged; what is gone or new within it is found."""
    with _tampering(trail) as view:
        exported = [parse_line(export_line(event), "here") for event in list_events(view)][start:end]
        rows = _rows(view)
        _write(view, [row for number, row in enumerate(rows) if number != index])
        _, findings = compare_with_export(view, exported)
        expected = [(Tampering.REMOVED, *rows[index][:2])] if start <= index < end else []
        assert [(finding.kind, finding.version, finding.position) for finding in findings] == expected


def test_events_from_before_the_chain_are_counted_and_later_ones_without_hash_found(trail: Registry) -> None:
    """No hash is right at the beginning only, as long as the first event with one follows none."""
    with _tampering(trail) as view:
        rows = _rows(view)
        old = (1, 0, 5, "me", "tenant.created", None, "ten_x", "{}", None, None)
        _write(view, [old, *rows])
        report = verify_trail(view)
        assert (report.events, report.unchained, report.findings) == (_EVENTS + 1, 1, [])
        _write(view, [(*rows[0][:8], None, None), *rows[1:]])
        assert _found(verify_trail(view)) == [(Tampering.REMOVED, *rows[1][:2])]
        _write(view, [*rows[:5], (*rows[5][:8], None, None), *rows[6:]])
        assert (Tampering.INSERTED, *rows[5][:2]) in _found(verify_trail(view))
        view.connection.execute("UPDATE clock SET audit_hash = NULL")
        _write(view, rows)
        assert _found(verify_trail(view)) == [(Tampering.ALTERED, *rows[-1][:2])]


def test_an_exported_line_is_the_event(trail: Registry) -> None:
    """Read back, it has the event's content and hash."""
    with trail.view() as view:
        stored = [(StoredEvent(*row[:8]), row[9]) for row in _rows(view)]
        lines = [export_line(event) for event in list_events(view)]
    assert [parse_line(line, "here") for line in lines] == [ExportedEvent(*pair) for pair in stored]
    assert all(line.endswith(b"}\n") and line.count(b"\n") == 1 for line in lines)
