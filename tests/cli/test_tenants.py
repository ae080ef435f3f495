import json
import re

import pytest

from tests.cli.command_line import CommandLine, on_both_engines


@on_both_engines
def test_create_prints_the_tenant_as_json(command_line: CommandLine) -> None:
    """``create --json`` prints tenantId and name; times are ISO 8601 in UTC."""
    tenant = command_line.print_json("tenants", "create", "--name", "Blue Motors")
    assert re.fullmatch(r"ten_[a-z2-7]{26}", tenant["tenantId"])
    assert (tenant["name"], tenant["state"], tenant["disabledAt"]) == ("Blue Motors", "enabled", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tenant["createdAt"])


def test_create_prints_a_list_for_people(command_line: CommandLine) -> None:
    """Without --json people get one member a line, and nothing on stderr."""
    result = command_line.run("tenants", "create", "--name", "Blue Motors")
    assert re.search(r"^tenant ID +ten_", result.stdout, re.MULTILINE)
    assert re.search(r"^name +Blue Motors$", result.stdout, re.MULTILINE)
    assert (result.stderr, result.exit_code) == ("", 0)


@pytest.mark.parametrize(
    "name", ["Größe & Söhne", "車両管理", "🚗🚕", "'; DROP TABLE tenants; --", "-", "x" * 200, "123", "<b>"]
)
def test_create_takes_every_printable_name(command_line: CommandLine, name: str) -> None:
    """A name of any script comes back as it was given."""
    command_line.print_json("tenants", "create", "--name", name)
    assert [tenant["name"] for tenant in command_line.print_json("tenants", "list")["tenants"]] == [name]
    assert name in command_line.run("tenants", "list").stdout


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x1b[31mred", "a\x00b", "\u202egpj.exe", "\udcff"])
def test_create_refuses_a_hostile_name_as_wrong_usage(command_line: CommandLine, name: str) -> None:
    """Blank, too long, control characters, bidirectional overrides, bytes that are not UTF-8: status 2."""
    result = command_line.run("tenants", "create", "--name", name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "Error: a name has 1 to 200 printable characters\n"
    assert command_line.print_json("tenants", "list")["tenants"] == []


def test_a_tenant_can_have_a_lifetime_of_its_own(command_line: CommandLine) -> None:
    """--lifetime is in seconds, up to a day; without it the deployment decides."""
    assert command_line.print_json("tenants", "create", "--name", "X", "--lifetime", "86400")["lifetime"] == 86_400
    assert command_line.print_json("tenants", "create", "--name", "X")["lifetime"] is None
    assert command_line.run("tenants", "create", "--name", "X", "--lifetime", "86401").exit_code == 2


def test_names_may_repeat(command_line: CommandLine) -> None:
    """Two tenants of one name are two tenants."""
    assert command_line.new_tenant("Blue Motors") != command_line.new_tenant("Blue Motors")


def test_list_of_nothing(command_line: CommandLine) -> None:
    """An empty list is an empty collection for programs and a sentence for people."""
    assert command_line.print_json("tenants", "list") == {"metadata": {"nextCursor": None}, "tenants": []}
    assert command_line.run("tenants", "list").stdout == "There are no tenants.\n"


@on_both_engines
def test_list_goes_page_by_page(command_line: CommandLine) -> None:
    """Following nextCursor shows each tenant once, in the order of creation; the last page has none."""
    made = [command_line.new_tenant(f"Tenant {number}") for number in range(5)]
    seen: list[str] = []
    cursor: list[str] = []
    sizes = []
    while True:
        page = command_line.print_json("tenants", "list", "--limit", "2", *cursor)
        seen += [tenant["tenantId"] for tenant in page["tenants"]]
        sizes.append(len(page["tenants"]))
        if page["metadata"]["nextCursor"] is None:
            break
        cursor = ["--cursor", page["metadata"]["nextCursor"]]
    assert (seen, sizes) == (made, [2, 2, 1])


def test_list_of_exactly_one_page_has_no_next(command_line: CommandLine) -> None:
    """There is a next page only where something is on it."""
    command_line.new_tenant()
    assert command_line.print_json("tenants", "list", "--limit", "1")["metadata"]["nextCursor"] is None


def test_list_tells_people_of_further_pages(command_line: CommandLine) -> None:
    """Where the table is not all, stderr says how to go on, and the table stays clean."""
    first, _ = command_line.new_tenant(), command_line.new_tenant()
    result = command_line.run("tenants", "list", "--limit", "1")
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == f"There are more: add --cursor {first}\n"


def test_list_refuses_an_unknown_cursor(command_line: CommandLine) -> None:
    """A cursor that no page ended with is refused, and not taken for the end of the list."""
    command_line.new_tenant()
    result = command_line.run("tenants", "list", "--cursor", "ten_" + "a" * 26)
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "1.5", ""])
def test_list_refuses_a_bad_limit(command_line: CommandLine, limit: str) -> None:
    """--limit is a whole number from 1 to 1 000."""
    assert command_line.run("tenants", "list", "--limit", limit).exit_code == 2


@on_both_engines
def test_disable_and_enable_print_the_new_state(command_line: CommandLine) -> None:
    """What disable and enable print is what list shows afterwards."""
    tenant_id = command_line.new_tenant()
    disabled = command_line.print_json("tenants", "disable", tenant_id)
    assert (disabled["tenantId"], disabled["state"]) == (tenant_id, "disabled")
    assert disabled["disabledAt"] is not None
    assert command_line.print_json("tenants", "list")["tenants"] == [disabled]
    enabled = command_line.print_json("tenants", "enable", tenant_id)
    assert (enabled["state"], enabled["disabledAt"]) == ("enabled", None)


def test_disabling_twice_is_no_mistake(command_line: CommandLine) -> None:
    """A repeated disable answers as the first did."""
    tenant_id = command_line.new_tenant()
    first = command_line.print_json("tenants", "disable", tenant_id)
    assert command_line.print_json("tenants", "disable", tenant_id) == first


@pytest.mark.parametrize("action", ["disable", "enable"])
def test_an_unknown_tenant_is_refused(command_line: CommandLine, action: str) -> None:
    """An ID that names no tenant: status 1, one sentence on stderr."""
    result = command_line.run("tenants", action, "ten_doesnotexist")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: there is no tenant ten_doesnotexist\n"


@on_both_engines
def test_the_audit_trail_names_the_user(command_line: CommandLine) -> None:
    """A change from the command line is on record under the operating system's user."""
    tenant_id = command_line.new_tenant()
    ((actor, action, subject),) = command_line.audit_trail()
    assert re.fullmatch(r"cli:(uid \d+|\S+)", actor)
    assert (action, subject) == ("tenant.created", tenant_id)


def test_a_refused_change_leaves_no_trace(command_line: CommandLine) -> None:
    """What was refused is not on record as done."""
    command_line.new_tenant()
    command_line.run("tenants", "disable", "ten_doesnotexist")
    assert [action for _, action, _ in command_line.audit_trail()] == ["tenant.created"]


def test_json_is_the_only_thing_on_stdout(command_line: CommandLine) -> None:
    """With --json stdout is one document, also on a page that has a next."""
    command_line.new_tenant(), command_line.new_tenant()
    result = command_line.run("tenants", "list", "--limit", "1", "--json")
    assert json.loads(result.stdout)["metadata"]["nextCursor"]
    assert result.stderr == ""


@on_both_engines
def test_show_and_change(command_line: CommandLine) -> None:
    """A name and a lifetime, which can be put back; what is not given stays."""
    tenant_id = command_line.new_tenant()
    command_line.new_application(tenant_id)
    changed = command_line.print_json("tenants", "change", tenant_id, "--name", "Red Motors", "--lifetime", "600")
    shown = command_line.print_json("tenants", "show", tenant_id)
    assert shown == {**changed, "applications": 1}
    assert (shown["name"], shown["lifetime"]) == ("Red Motors", 600)
    back = command_line.print_json("tenants", "change", tenant_id, "--default-lifetime")
    assert (back["name"], back["lifetime"]) == ("Red Motors", None)
    for arguments in ([], ["--lifetime", "5", "--default-lifetime"], ["--lifetime", "0"], ["--name", " "]):
        assert command_line.run("tenants", "change", tenant_id, *arguments).exit_code == 2


@on_both_engines
def test_delete_takes_everything_along_and_needs_a_yes(command_line: CommandLine) -> None:
    """In a script it is refused without --yes, saying what it takes along; then it is gone, and the trail keeps it."""
    tenant_id = command_line.new_tenant()
    applications = [command_line.new_application(tenant_id)["applicationId"] for _ in range(2)]
    refused = command_line.run("tenants", "delete", tenant_id)
    assert refused.exit_code == 2
    assert "Its applications (2) go with it" in refused.stderr
    deleted = command_line.print_json("tenants", "delete", tenant_id, "--yes")
    assert (deleted["tenantId"], deleted["state"], deleted["applications"]) == (tenant_id, "deleted", 2)
    assert command_line.run("tenants", "show", tenant_id).exit_code == 1
    assert command_line.run("tenants", "delete", tenant_id, "--yes").exit_code == 1
    assert command_line.run("applications", "show", applications[0]).exit_code == 1
    assert {action for _, action, _ in command_line.audit_trail()} >= {"tenant.deleted", "application.deleted"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("tenants", "create"), "[default: the deployment's]"),
        (("applications", "create"), "[default: the tenant's, else the deployment's]"),
    ],
)
def test_help_says_whose_lifetime_a_new_thing_has(
    command_line: CommandLine, command: tuple[str, ...], said: str
) -> None:
    """A change has no such default: what is not given stays."""
    assert said in " ".join(command_line.run(*command, "--help").stdout.split())
    assert "[default: the" not in command_line.run(command[0], "change", "--help").stdout
