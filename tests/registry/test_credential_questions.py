"""Credentials are read from PostgreSQL, many at once, over a connection that is replaced when it has failed."""

import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import psycopg
import pytest

from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.credential_questions import CredentialQuestions
from sensos_auth.registry.credentials import find_credential
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from tests.postgresql_server import PASSWORD
from tests.registries import Place
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def postgresql(behind_proxy: tuple[Place, TcpProxy]) -> Registry:
    """Return a registry on PostgreSQL."""
    return behind_proxy[0].open()


@pytest.fixture
def questions(behind_proxy: tuple[Place, TcpProxy]) -> Iterator[CredentialQuestions]:
    """Return who asks; it has not connected yet."""
    questions = CredentialQuestions(behind_proxy[0].address)
    yield questions
    questions.close()


def _new_secrets(registry: Registry, count: int) -> list[bytes]:
    with registry.change("me") as change:
        tenant = create_tenant(change, name="Acme")
        application = create_application(change, tenant_id=tenant.tenant_id, name="Pump", scope="read")
        return [digest(create_secret(change, application_id=application.application_id).shown) for _ in range(count)]


def test_each_is_what_is_read_alone(postgresql: Registry, questions: CredentialQuestions) -> None:
    """In the order of the question, unknown ones among them, before the first secret and behind the last, twice too."""
    known = _new_secrets(postgresql, 20)
    unknown = [digest(new_secret()) for _ in range(20)]
    asked = [bytes(32), *(each for both in zip(known, unknown, strict=True) for each in both), b"\xff" * 32, known[0]]
    read = questions.ask(asked)
    with postgresql.view() as view:
        assert read.credentials == [find_credential(view, each) for each in asked]
        assert read.version == view.statements.clock(view.connection)[0]
    assert [credential is not None for credential in read.credentials] == [False, *[True, False] * 20, False, True]


def test_empty_registry_has_a_version(questions: CredentialQuestions) -> None:
    """Nobody is found, as of the version of the beginning."""
    assert questions.ask([digest(new_secret())]) == ([None], 0)


def test_version_is_that_of_what_was_read(postgresql: Registry, questions: CredentialQuestions) -> None:
    """One statement, one snapshot: whatever is changed meanwhile, credential and version belong together."""
    (asked,) = _new_secrets(postgresql, 1)
    found = questions.ask([asked]).credentials[0]
    assert found is not None
    with postgresql.change("me") as change:
        disable_application(change, found.application_id)
        before = questions.ask([asked])
    after = questions.ask([asked])
    assert before.credentials == [found]
    assert before.version == found.version < after.version == change.version
    assert after.credentials[0] is not None
    assert after.credentials[0].withdrawn_at is not None


def test_z29_lost_connection_is_replaced_at_once(
    postgresql: Registry, questions: CredentialQuestions, proxy: TcpProxy
) -> None:
    """The server was restarted, and is back: who asks does not notice."""
    asked = _new_secrets(postgresql, 1)
    first = questions.ask(asked)
    for _ in range(3):
        proxy.cut()
        assert questions.ask(asked) == first


def test_z38_server_that_takes_nobody_is_not_stormed(
    postgresql: Registry, questions: CredentialQuestions, proxy: TcpProxy
) -> None:
    """However many ask, it is tried some times in a second; and once it takes somebody, the next but few succeed."""
    asked = _new_secrets(postgresql, 1)
    questions.ask(asked)
    proxy.refuses = True
    proxy.cut()
    before, began = proxy.accepted, time.monotonic()
    while time.monotonic() < began + 1:
        with pytest.raises(RegistryUnavailable):
            questions.ask(asked)
    assert 4 <= proxy.accepted - before <= 25
    proxy.refuses = False
    began = time.monotonic()
    while time.monotonic() < began + 5:
        with suppress(RegistryUnavailable):
            assert len(questions.ask(asked).credentials) == 1
            break
    assert time.monotonic() < began + 0.5


def test_z36_server_that_is_silent_is_given_up_after_a_second(
    postgresql: Registry, questions: CredentialQuestions, proxy: TcpProxy
) -> None:
    """The connection has died in silence: a second for an answer, and the next one brings it."""
    asked = _new_secrets(postgresql, 1)
    first = questions.ask(asked)
    proxy.lose_open()
    began = time.monotonic()
    assert questions.ask(asked) == first
    assert 0.9 < time.monotonic() - began < 1.6


def test_z36_server_that_swallows(postgresql: Registry, questions: CredentialQuestions, proxy: TcpProxy) -> None:
    """A second for the answer, two for another connection; then who asked is told, without the password."""
    asked = _new_secrets(postgresql, 1)
    questions.ask(asked)
    proxy.swallows = True
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable) as caught:
        questions.ask(asked)
    assert time.monotonic() - began < 4
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_question_takes_a_second_at_the_server_as_well(postgresql: Registry, questions: CredentialQuestions) -> None:
    """Somebody has locked the table: the server gives the question up, and nothing is left of it."""
    asked = _new_secrets(postgresql, 1)
    questions.ask(asked)
    with postgresql.change("me") as change:
        change.connection.execute("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable):
            questions.ask(asked)
        assert time.monotonic() - began < 2.5
        ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while change.connection.execute(ours).fetchone() != (0,):
            assert time.monotonic() - began < 2.5
            change.connection.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it is asked once
        create_tenant(change, name="a")
    assert questions.ask(asked).version == change.version


def test_url_that_is_none_is_a_fault_of_the_configuration() -> None:
    """Its password is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialQuestions(f"postgresql://me:{PASSWORD}@[h/d").ask([bytes(32)])
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_versions_only_grow(postgresql: Registry, questions: CredentialQuestions) -> None:
    """A later answer is never of an earlier version, over whichever connection it came."""
    asked = _new_secrets(postgresql, 1)
    versions = []
    for number in range(12):
        versions.append(questions.ask(asked).version)
        if number % 3 == 0:
            questions.close()
        with postgresql.change("me") as change:
            create_tenant(change, name="a")
    assert all(earlier < later for earlier, later in pairwise(versions))


def test_closing_leaves_no_connection(postgresql: Registry, questions: CredentialQuestions) -> None:
    """Nor does closing twice matter."""
    questions.ask([bytes(32)])
    questions.close()
    questions.close()
    with psycopg.connect(postgresql.database.url, autocommit=True) as other:  # type: ignore[attr-defined]
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'sensos-auth credentials' AND datname = current_database()"
        )
        give_up_at = time.monotonic() + 5
        while other.execute(query).fetchone() != (0,):
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
