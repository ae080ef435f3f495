"""Administrators who take things away and give them back without end, and write down what they did and were told."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from tests.nodes.history import Asked, Effect, History, Operation, Outcome, now
from tests.nodes.token_clients import TokenClients
from tests.nodes.verifiers import Verifiers
from tests.nodes.ways import SPELLINGS, Action, Answer, Way
from tests.running_service import ExampleApplication

_WEIGHTS: Mapping[Action, float] = {
    Action.DISABLE_APPLICATION: 6,
    Action.DISABLE_TENANT: 2.5,
    Action.VOID_APPLICATION: 3,
    Action.CREATE_SECRET: 4,
    Action.ROTATE_SECRET: 1.5,
    Action.REVOKE_SECRET: 2,
    Action.REVOKE_SECRET_AND_TOKENS: 2,
    Action.REVOKE_TOKEN: 4,
    Action.ROTATE_KEY: 0.25,
    Action.REVOKE_KEY: 0.15,
}
_GIVEN_BACK_BY = {
    Action.DISABLE_APPLICATION: Action.ENABLE_APPLICATION,
    Action.DISABLE_TENANT: Action.ENABLE_TENANT,
}
# Seconds for which something stays disabled.
_DISABLED_FOR = (0.4, 2.0)
# Secrets of an application, and revoked ones that are asked for all the same.
_MOST_SECRETS = 3
_MOST_REVOKED = 25
_RECENT_TOKENS = 400


@dataclass
class World:
    """What there is to administrate. Shared by all administrators; what each of them believes may be wrong."""

    applications_of: dict[str, list[str]]
    # The secrets that are asked for: those that are good, and some that were.
    asked_for: list[ExampleApplication]
    good: list[ExampleApplication]
    kids: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    recent_tokens: deque[tuple[Asked, str]] = field(default_factory=lambda: deque(maxlen=_RECENT_TOKENS))
    given_back_at: list[tuple[float, Action, str]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def application_ids(self) -> list[str]:
        """Return all applications."""
        return [application_id for found in self.applications_of.values() for application_id in found]

    def tenant_of(self, application_id: str) -> str:
        """Return the tenant of the application."""
        return next(tenant for tenant, found in self.applications_of.items() if application_id in found)

    def secrets_of(self, subject: str) -> list[ExampleApplication]:
        """Return what is asked for of this tenant, application or secret."""
        return [one for one in list(self.asked_for) if subject in {one.tenant_id, one.application_id, one.secret_id}]

    def add(self, secret: ExampleApplication) -> None:
        """Have a new secret asked for."""
        with self.lock:
            self.good.append(secret)
            self.asked_for.append(secret)

    def remove(self, secret_id: str) -> None:
        """Take it that the secret is good no longer; it is asked for all the same for a while."""
        with self.lock:
            for secret in [one for one in self.good if one.secret_id == secret_id]:
                self.good.remove(secret)
            revoked = [one for one in self.asked_for if one not in self.good]
            for secret in revoked[:-_MOST_REVOKED]:
                self.asked_for.remove(secret)


class Administrator:
    """Does one thing after the other in one thread, each on a way chosen anew."""

    def __init__(
        self,
        name: str,
        *,
        ways: Sequence[tuple[Way, float]],
        world: World,
        history: History,
        clients: TokenClients,
        verifiers: Verifiers,
        chance: random.Random,
    ) -> None:
        self._ways = ways
        self._world = world
        self._history = history
        self._clients = clients
        self._verifiers = verifiers
        self._chance = chance
        self.complaints: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End, once what is under way has returned."""
        self._is_over.set()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)
        for way, _ in self._ways:
            way.close()

    def _run(self) -> None:
        while not self._is_over.is_set():
            chosen = self._choose()
            if chosen is None:
                time.sleep(0.05)
                continue
            self.carry_out(*chosen)
            self._is_over.wait(self._chance.uniform(0.0, 0.1))

    def _choose(self) -> tuple[Action, str] | None:
        world = self._world
        with world.lock:
            due = [item for item in world.given_back_at if item[0] <= now()]
            if due:
                item = self._chance.choice(due)
                world.given_back_at.remove(item)
                return item[1], item[2]
        action = self._chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        subject = self._subject(action)
        return None if subject is None else (action, subject)

    def _subject(self, action: Action) -> str | None:
        """Return whom to do it to, or None if there is nobody to do it to."""
        world, chance = self._world, self._chance
        good = list(world.good)
        candidates: list[str]
        match action:
            case Action.DISABLE_TENANT | Action.ENABLE_TENANT:
                candidates = list(world.applications_of)
            case Action.REVOKE_SECRET | Action.REVOKE_SECRET_AND_TOKENS:
                candidates = [secret.secret_id for secret in good]
            case Action.CREATE_SECRET:
                counts = Counter(secret.application_id for secret in good)
                fewest = min(counts[application_id] for application_id in world.application_ids)
                candidates = [one for one in world.application_ids if counts[one] == fewest < _MOST_SECRETS]
            case Action.REVOKE_TOKEN:
                candidates = [asked.token_id for asked, _ in list(world.recent_tokens)]
            case Action.ROTATE_KEY:
                candidates = [""]
            case Action.REVOKE_KEY:
                candidates = world.kids[-2:]
            case _:
                candidates = world.application_ids
        return chance.choice(candidates) if candidates else None

    def carry_out(self, action: Action, subject: str) -> None:
        """Do it, and write down what became of it."""
        way = self._chance.choices([way for way, _ in self._ways], [weight for _, weight in self._ways])[0]
        takes = SPELLINGS[action].effect is not Effect.GIVES
        concerned = self._world.secrets_of(subject) if takes or action is Action.ROTATE_SECRET else []
        if takes:
            self._watch(subject)
            self._clients.look_at(concerned)
        begin = now()
        answer = way.do(action, subject)
        end = now()
        if answer.complaint:
            self.complaints.append(f"{action} by {way.name}: {answer.complaint}")
        for operation in self._operations(action, subject, way, (begin, end), answer):
            self._history.operations.append(operation)
        if concerned:
            self._clients.look_once_more(concerned)
        if takes:
            self._watch(subject)
        self._take_note(action, subject, answer)

    def _watch(self, subject: str) -> None:
        if not subject:
            return
        self._verifiers.watch([subject])
        token = next((found for found in list(self._world.recent_tokens) if found[0].token_id == subject), None)
        if token is not None:
            self._verifiers.show_and_watch(subject, token[1])

    def _operations(
        self, action: Action, subject: str, way: Way, times: tuple[float, float], answer: Answer
    ) -> list[Operation]:
        spelling = SPELLINGS[action]
        made = str(answer.document.get("kid", "")) if action is Action.ROTATE_KEY else ""
        if action in {Action.CREATE_SECRET, Action.ROTATE_SECRET}:
            application_id, subject = subject, str(answer.document.get("secretId", f"?{subject}"))
        else:
            application_id = ""

        def operation(event: str, effect: Effect, whose: str, end: float) -> Operation:
            return Operation(
                number=next(self._world.numbers),
                action=event,
                effect=effect,
                subject=whose,
                begin=times[0],
                end=end,
                outcome=answer.outcome,
                actor=way.actor,
                via=way.name,
                made=made,
            )

        found = [operation(spelling.event, spelling.effect, subject, times[1])]
        if action is Action.ROTATE_SECRET:
            if answer.outcome is Outcome.DONE:
                ending = [(str(old["secretId"]), _moment(old["expiresAt"])) for old in answer.document["ending"]]
            else:
                ending = [(one.secret_id, times[1]) for one in self._world.secrets_of(application_id)]
            found += [operation("secret.rotated", Effect.TAKES, old, max(times[1], ends)) for old, ends in ending]
        return found

    def _take_note(self, action: Action, subject: str, answer: Answer) -> None:
        world = self._world
        if action in _GIVEN_BACK_BY and answer.outcome is not Outcome.NOT_DONE:
            with world.lock:
                world.given_back_at.append(
                    (now() + self._chance.uniform(*_DISABLED_FOR), _GIVEN_BACK_BY[action], subject)
                )
        if action in _GIVEN_BACK_BY.values() and answer.outcome is not Outcome.DONE:
            with world.lock:
                world.given_back_at.append((now() + 0.3, action, subject))
        if action in {Action.REVOKE_SECRET, Action.REVOKE_SECRET_AND_TOKENS} and answer.outcome is not Outcome.NOT_DONE:
            world.remove(subject)
        if answer.outcome is not Outcome.DONE:
            return
        if action is Action.ROTATE_SECRET:
            for old in answer.document["ending"]:
                world.remove(str(old["secretId"]))
        if "applicationSecret" in answer.document:
            shown, secret_id = str(answer.document["applicationSecret"]), str(answer.document["secretId"])
            world.add(ExampleApplication(world.tenant_of(subject), subject, secret_id, shown))
        if action is Action.ROTATE_KEY:
            world.kids.append(str(answer.document["kid"]))


def _moment(text: object) -> float:
    """Return a time, as UTC text or UTC seconds, on the clock of the history."""
    seconds = float(text) if isinstance(text, int) else datetime.fromisoformat(str(text)).timestamp()
    return seconds - time.time() + now()
