"""What a worker does beside answering: its duties, once a minute; and it ends when its parent is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

import structlog

from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.takeover import put_takeover_off
from sensos_auth.registry import Registry
from sensos_auth.registry.automatic_retirement import retire_unused_secrets
from sensos_auth.registry.idempotency import purge_ended_answers
from sensos_auth.registry.revocations import purge_ended_revocations
from sensos_auth.registry.secret_warnings import warn_of_ending_secrets
from sensos_auth.registry.usage import note_that_uses_are_recorded, purge_usage
from sensos_auth.registry.verifiers import purge_verifiers
from sensos_auth.server.outage import Outage
from sensos_auth.server.usage_writer import usage_is_counted
from sensos_auth.server.webhook import Webhook, webhook_settings

ROTATION_SECONDS = 60
WEBHOOK_LOOKS_EVERY = 10.0
_PARENT_SECONDS = 1.0


class _Duty(NamedTuple):
    """Something to do, what is logged when it fails and when it works again, and how many seconds it is put off."""

    failure: str
    recovery: str
    do: Callable[[Registry, Mapping[str, str]], None]
    begins_after: float = 0.0


class Upkeep:
    """A thread with a registry of its own (``open_registry``), so that no request waits for its writes."""

    def __init__(self, environment: Mapping[str, str], open_registry: Callable[[], Registry]) -> None:
        self._environment = environment
        self._open_registry = open_registry
        parent = multiprocessing.parent_process()
        # Not os.getppid(): the parent may have ended before this worker was ready to look.
        self._parent = os.getppid() if parent is None else parent.pid
        self._duties = [(duty, Outage(duty.failure, duty.recovery)) for duty in _DUTIES]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        settings = webhook_settings(environment)
        # Not a duty: a receiver may take its time.
        self._webhook = None if settings is None else Webhook(self._open_registry, settings, WEBHOOK_LOOKS_EVERY)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        if self._webhook is not None:
            self._webhook.start()

    def close(self, timeout: float = 3.0) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way."""
        self._ended.set()
        self._thread.join(timeout)
        if self._webhook is not None:
            self._webhook.close()

    def _run(self) -> None:
        ticks = 0
        while not self._ended.wait(_PARENT_SECONDS):
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGINT)  # ends sooner than SIGTERM: a successor may want the port
                return
            ticks += 1
            if ticks % ROTATION_SECONDS == 0:
                for duty, outage in self._duties:
                    if ticks * _PARENT_SECONDS >= duty.begins_after:
                        self._do(duty, outage)

    def _do(self, duty: _Duty, outage: Outage) -> None:
        try:
            with closing(self._open_registry()) as registry:
                duty.do(registry, self._environment)
        except Exception as error:  # noqa: BLE001 - the thread must live on; the next minute tries again
            outage.tell(error)
        else:
            outage.is_over()


def _keep_keys_current(registry: Registry, environment: Mapping[str, str]) -> None:
    master_key = obtain_master_key(registry, environment)
    key = keep_keys_current(registry, master_key, signing_algorithm(environment))
    if key is not None:
        structlog.get_logger().info("signing key published", kid=key.kid, signs_from=key.signs_from)
    put_off = put_takeover_off(registry)
    if put_off is not None:  # how many verifiers, not which: their names are what clients sent
        structlog.get_logger().warning(
            "signing key waits for verifiers",
            kid=put_off.kid,
            signs_from=put_off.signs_from,
            verifiers=len(put_off.verifiers),
        )


def _clean_up(registry: Registry, _: Mapping[str, str]) -> None:
    purge_ended_revocations(registry)
    purge_ended_answers(registry)
    purge_verifiers(registry)
    purge_usage(registry)


def _note_whether_uses_are_recorded(registry: Registry, environment: Mapping[str, str]) -> None:
    note_that_uses_are_recorded(registry, are_recorded=usage_is_counted(environment))


def _retire_unused_secrets(registry: Registry, _: Mapping[str, str]) -> None:
    for secret in retire_unused_secrets(registry):
        structlog.get_logger().info(
            "unused secret retired",
            secret_id=secret.secret_id,
            application_id=secret.application_id,
            tenant_id=secret.tenant_id,
        )


def _warn_of_ending_secrets(registry: Registry, _: Mapping[str, str]) -> None:
    for secret, days in warn_of_ending_secrets(registry):
        structlog.get_logger().warning(
            "secret expires soon",
            secret_id=secret.secret_id,
            application_id=secret.application_id,
            tenant_id=secret.tenant_id,
            expires_at=secret.expires_at,
            days=days,
        )


# What is done once a minute, one after the other. After a time in which the service did not run, applications get some
# minutes to use the secrets that they could not use meanwhile.
_DUTIES = (
    _Duty("signing keys could not be kept current", "signing keys kept current again", _keep_keys_current),
    _Duty(
        "unused secrets could not be retired",
        "unused secrets retired again",
        _retire_unused_secrets,
        begins_after=900.0,
    ),
    _Duty(
        "warnings of ending secrets could not be given",
        "warnings of ending secrets given again",
        _warn_of_ending_secrets,
    ),
    _Duty("what has ended could not be cleaned up", "what has ended cleaned up again", _clean_up),
)
