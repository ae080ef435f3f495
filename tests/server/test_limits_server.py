"""What is asked of the server, with a real one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensos_auth.server.limits_server import PREFIX, LimitsNotShared, LimitsServer
from sensos_auth.server.limits_url import LimitsUrl
from sensos_auth.server.shared_buckets import Told
from tests.client.certificates import new_authority
from tests.redis_server import RedisServer, needs_redis, redis_server
from tests.tcp_proxy import tcp_proxy

pytestmark = needs_redis
ISSUER = "https://auth.example.com"
SECRET = "pa55-word"
HOUR = 3_600_000_000  # microseconds
_MOMENT = 5_000_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a server that anybody may use."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def limits(redis: RedisServer) -> Iterator[LimitsServer]:
    """Return a connection to the server, which is empty."""
    redis.ask().flushall()
    server = connected(redis)
    yield server
    server.close()


def connected(redis: RedisServer, issuer: str = ISSUER, **options: str) -> LimitsServer:
    """Connect to the server."""
    return LimitsServer(LimitsUrl("127.0.0.1", redis.port, **options), issuer)  # type: ignore[arg-type]


def about(number: int) -> object:
    """Return what is a little less than the number, as time has passed, or the number."""
    return pytest.approx(number - _MOMENT // 2, abs=_MOMENT // 2)


def test_what_is_taken_adds_up(limits: LimitsServer, redis: RedisServer) -> None:
    """Of each bucket for itself, whoever tells it."""
    other = connected(redis)
    assert limits.add("a", [Told("x", HOUR, HOUR), Told("y", 2 * HOUR, 2 * HOUR)]) == [HOUR, 2 * HOUR]
    assert other.add("a", [Told("y", HOUR, HOUR), Told("z", HOUR, HOUR)]) == [about(3 * HOUR), HOUR]
    assert other.add("b", [Told("x", HOUR, HOUR)]) == [HOUR]  # of another limit
    assert limits.add("a", [Told("x", 0, 0), Told("y", 0, 5 * HOUR)]) == [about(HOUR), 5 * HOUR]
    other.close()


def test_time_gives_back(limits: LimitsServer) -> None:
    """A bucket that is full again lacks less than nothing for a second, and then the server knows nothing of it."""
    assert limits.add("a", [Told("x", 50_000, 50_000)]) == [50_000]
    time.sleep(0.1)
    (lacks,) = limits.add("a", [Told("x", 1, -400_000)])
    assert -400_000 < lacks <= -49_999


def test_p08_server_forgets_by_itself(limits: LimitsServer, redis: RedisServer) -> None:
    """A second after the bucket is full, and at once what was full a second ago."""
    limits.add("a", [Told("x", 100_000, 100_000), Told("y", 1, -1_000_001)])
    (name,) = redis.ask().keys(f"{PREFIX}a:*")
    assert 0 < int(redis.ask().pttl(name)) <= 1_100
    time.sleep(1.2)
    assert redis.ask().keys("*") == []


def test_z53_server_whose_clock_was_set_back_gives_nothing_back_meanwhile(
    limits: LimitsServer, redis: RedisServer
) -> None:
    """And locks nobody out: what lacked an hour when the clock was a day ahead, lacks an hour now."""
    limits.add("a", [Told("x", HOUR, HOUR)])
    (name,) = redis.ask().keys(f"{PREFIX}a:*")
    at, lacks = (int(word) for word in str(redis.ask().get(name)).split())
    redis.ask().set(name, f"{at + 24 * HOUR} {lacks}")
    assert limits.add("a", [Told("x", 1, 1)]) == [HOUR + 1]
    assert limits.add("a", [Told("x", 1, 1)]) == [about(HOUR + 2)]


def test_what_somebody_else_wrote_there_counts_as_nothing(limits: LimitsServer, redis: RedisServer) -> None:
    """A bucket is begun anew."""
    limits.add("a", [Told("x", HOUR, HOUR)])
    (name,) = redis.ask().keys(f"{PREFIX}a:*")
    redis.ask().set(name, "nonsense")
    assert limits.add("a", [Told("x", 7, 7)]) == [7]


def test_names_tell_nobody_whose_buckets_they_are(limits: LimitsServer, redis: RedisServer) -> None:
    """A digest; and it is another one for another issuer."""
    told = [Told("app_abcdefghijklmnop", HOUR, HOUR), Told((4, 3405803842), HOUR, HOUR)]
    limits.add("application", told)
    other = connected(redis, "https://other.example.com")
    assert other.add("application", told) == [HOUR, HOUR]
    other.close()
    names = [str(name) for name in redis.ask().keys(f"{PREFIX}application:*")]
    assert len(names) == 4
    assert all(len(name) == len(PREFIX) + len("application:") + 32 for name in names)
    assert not [name for name in names if "app_abc" in name or "3405803842" in name]


def test_many_buckets_are_told_some_at_a_time(limits: LimitsServer) -> None:
    """In order, none left out."""
    told = [Told(number, HOUR, HOUR + number) for number in range(1_234)]
    assert limits.add("a", told) == [HOUR + number for number in range(1_234)]
    assert limits.add("a", []) == []


def test_a_user_needs_few_permissions(redis: RedisServer) -> None:
    """Those that the operator's page names."""
    redis.tell("ACL", "SETUSER", "sensos", "on", f">{SECRET}", "+eval", "+get", "+set", "+time", "~sensos-auth:*")
    limits = connected(redis, user="sensos", password=SECRET)
    assert limits.add("a", [Told("acl", HOUR, HOUR)]) == [HOUR]
    limits.close()
    redis.tell("ACL", "SETUSER", "sensos", "-set")
    with pytest.raises(LimitsNotShared, match="lacks one of the permissions"):
        connected(redis, user="sensos", password=SECRET)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"user": "nobody", "password": SECRET}, "it refuses the user or the password"),
        ({"password": SECRET}, "it refuses the user or the password"),
        ({"database": 99}, "it has no database of this number"),
        ({"is_encrypted": True}, "it does not answer within 1 s"),
    ],
)
def test_z38_why_it_is_of_no_use_is_said_in_words(redis: RedisServer, options: dict[str, str], reason: str) -> None:
    """And nothing of what was sent."""
    with pytest.raises(LimitsNotShared) as refused:
        connected(redis, **options)
    assert str(refused.value) == reason
    assert refused.value.__cause__ is None


def test_password_that_is_asked_for_and_not_set(tmp_path: Path) -> None:
    """It is named as the reason."""
    with redis_server(tmp_path, "--requirepass", SECRET) as redis:
        with pytest.raises(LimitsNotShared, match="refuses the user or the password"):
            connected(redis)
        connected(redis, password=SECRET).close()


def test_full_server_and_replica(tmp_path: Path) -> None:
    """They can be read, and that is not enough."""
    with redis_server(tmp_path) as redis:
        limits = connected(redis)
        redis.ask().config_set("maxmemory", "1kb")
        with pytest.raises(LimitsNotShared, match="its memory is full"):
            limits.add("a", [Told("x", HOUR, HOUR)])
        with pytest.raises(LimitsNotShared, match="its memory is full"):
            connected(redis)
        redis.ask().config_set("maxmemory", "0")
        redis.tell("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(LimitsNotShared, match="it is a replica"):
            connected(redis)
        limits.close()


def test_z36_silent_server_is_given_up_after_a_second(redis: RedisServer) -> None:
    """Whether it fell silent before or after it was connected to."""
    with tcp_proxy(redis.port) as proxy:
        limits = LimitsServer(LimitsUrl("127.0.0.1", proxy.port), ISSUER)
        proxy.swallows = True
        for ask in (
            lambda: limits.add("a", [Told("x", 1, 1)]),
            lambda: LimitsServer(LimitsUrl("127.0.0.1", proxy.port), ISSUER),
        ):
            began = time.monotonic()
            with pytest.raises(LimitsNotShared, match="does not answer within 1 s"):
                ask()
            assert 0.9 < time.monotonic() - began < 3
        limits.close()


def test_password_is_not_shown(redis: RedisServer) -> None:
    """Whatever is printed of the connection."""
    redis.tell("ACL", "SETUSER", "shown", "on", f">{SECRET}", "~*", "+@all")
    limits = connected(redis, user="shown", password=SECRET)
    assert SECRET not in repr(limits) + repr(vars(limits))
    limits.close()


def test_encrypted_server_must_show_a_certificate_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its name, from the system's authorities, or from those in the file that SSL_CERT_FILE names."""
    authority = new_authority(tmp_path)
    pem = str(authority.server_pem(tmp_path, "localhost"))
    encrypted = ("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-auth-clients", "no")
    with redis_server(tmp_path / "redis", *encrypted) as redis:
        url = LimitsUrl("localhost", redis.port, is_encrypted=True)
        with pytest.raises(LimitsNotShared, match="its certificate is not trusted"):
            LimitsServer(url, ISSUER)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        limits = LimitsServer(url, ISSUER)
        assert limits.add("a", [Told("x", HOUR, HOUR)]) == [HOUR]
        limits.close()
        with pytest.raises(LimitsNotShared, match="its certificate is not trusted"):
            LimitsServer(LimitsUrl("127.0.0.1", redis.port, is_encrypted=True), ISSUER)
