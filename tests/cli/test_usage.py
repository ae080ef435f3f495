import re
import time
from contextlib import closing

import pytest

from sensos_auth.registry.usage import MinuteCount, record_counts
from tests.cli.command_line import CommandLine, on_both_engines

NOW = int(time.time())
# In the middle of an hour of an earlier day, so that no test runs at its edge.
YESTERDAY = (NOW - 86_400) // 3600 * 3600 + 1800
SINCE = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(YESTERDAY))
HOUR = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(YESTERDAY))


def record(command_line: CommandLine, *counts: tuple[int, str, int, int]) -> None:
    """Add counts, given as time (UTC seconds), application ID, tokens and refusals."""
    with closing(command_line.open_registry()) as registry, registry.observation() as view:
        record_counts(
            view,
            [
                MinuteCount(at // 60, application_id, "sec_a" if tokens else "", tokens, refusals)
                for at, application_id, tokens, refusals in counts
            ],
        )


@on_both_engines
def test_usage_is_added_up_by_application_and_period(command_line: CommandLine) -> None:
    """A table for people, the API's members for programs."""
    made = command_line.new_application()
    application_id, tenant_id = made["applicationId"], made["tenantId"]
    record(
        command_line,
        (YESTERDAY, application_id, 5, 0),
        (YESTERDAY, application_id, 0, 2),
        (YESTERDAY + 60, application_id, 1, 0),
        (YESTERDAY, "", 0, 7),
    )
    table = command_line.run("usage", "--since", SINCE).stdout.splitlines()
    assert [line.split() for line in table] == [
        ["starts", "at", "application", "ID", "tokens", "refusals"],
        [HOUR, "-", "0", "7"],
        [HOUR, application_id, "6", "2"],
    ]
    of_application = command_line.print_json("usage", "--since", SINCE, "--application", application_id)
    row = {"startsAt": HOUR, "applicationId": application_id, "tenantId": tenant_id, "tokens": 6, "refusals": 2}
    assert of_application == {"metadata": {"nextCursor": None}, "usage": [row]}
    assert command_line.print_json("usage", "--since", SINCE, "--tenant", tenant_id) == of_application
    by_minute = command_line.print_json("usage", "--since", SINCE, "--per", "minute", "--tenant", tenant_id)["usage"]
    assert [(each["startsAt"], each["tokens"], each["refusals"]) for each in by_minute] == [
        (SINCE, 5, 2),
        (SINCE.replace(":30:00Z", ":31:00Z"), 1, 0),
    ]
    (by_day,) = command_line.print_json("usage", "--since", SINCE, "--per", "day", "--tenant", tenant_id)["usage"]
    assert (by_day["startsAt"], by_day["tokens"]) == (f"{SINCE[:10]}T00:00:00Z", 6)


@on_both_engines
def test_pages_of_usage(command_line: CommandLine) -> None:
    """The cursor goes on where the page before ended, also after the line of no application."""
    application_id = command_line.new_application()["applicationId"]
    record(command_line, (YESTERDAY, application_id, 5, 0), (YESTERDAY, "", 0, 7), (NOW, application_id, 1, 0))
    found: list[dict[str, int]] = []
    cursor = None
    while found == [] or cursor:
        more = () if cursor is None else ("--cursor", cursor)
        page = command_line.print_json("usage", "--since", SINCE, "--limit", "1", *more)
        found += page["usage"]
        cursor = page["metadata"]["nextCursor"]
    assert [(each["tokens"], each["refusals"]) for each in found] == [(0, 7), (5, 0), (1, 0)]


def test_nothing_was_counted(command_line: CommandLine) -> None:
    """It says so; by default it looks back a day."""
    application_id = command_line.new_application()["applicationId"]
    record(command_line, (NOW - 90_100, application_id, 5, 0))
    assert command_line.run("usage").stdout == "Nothing was counted.\n"


@on_both_engines
def test_who_fetches_a_token_for_each_request(command_line: CommandLine) -> None:
    """With what to do about it, and what a process needs that keeps its token; nobody else."""
    none = command_line.run("usage", "--uncached")
    assert none.stdout.startswith("No application got more tokens")
    wasteful, sound = command_line.new_application(lifetime="7200"), command_line.new_application()
    record(command_line, (NOW, wasteful["applicationId"], 3540, 0), (NOW, sound["applicationId"], 20, 0))
    shown = command_line.run("usage", "--uncached").stdout
    assert re.findall(r"app_\w+", shown) == [wasteful["applicationId"]]
    assert "3 540 tokens in the last hour; one lasts 2 h: cache it" in shown
    (found,) = command_line.print_json("usage", "--uncached", "--tenant", wasteful["tenantId"])["uncachedTokens"]
    assert (found["tokens"], found["needed"], found["lifetime"]) == (3540, 1, 7200)
    assert command_line.print_json("usage", "--uncached", "--tenant", sound["tenantId"])["uncachedTokens"] == []
    command_line.environment["SENSOS_AUTH_TOKEN_LIFETIME"] = "60"
    assert [each["tokens"] for each in command_line.print_json("usage", "--uncached")["uncachedTokens"]] == [3540]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--uncached", "--application", "app_a"],
        ["--uncached", "--since", "2026-01-01"],
        ["--cursor", "app_a"],
        ["--cursor", "9999999999999.app_a"],
        ["--per", "week"],
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(command_line: CommandLine, arguments: list[str]) -> None:
    """And nothing is printed on stdout."""
    result = command_line.run("usage", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
