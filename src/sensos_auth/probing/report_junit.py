"""The report as JUnit XML, which CI servers show: a suite for each group, a test case for each probe."""

from xml.etree import ElementTree as ET

from sensos_auth.probing.faults import Severity
from sensos_auth.probing.probe import Group
from sensos_auth.probing.report import Observation, Report


def junit_report(report: Report, least: Severity) -> bytes:
    """Return the XML document. Findings less severe than ``least`` are told in ``system-out``, and fail nothing."""
    severities = list(Severity)
    failing = severities[: severities.index(least) + 1]
    root = ET.Element("testsuites", name="sensos-auth probe")
    _add_control(root, report)
    for group in Group:
        suite = ET.SubElement(root, "testsuite", name=group.value)
        cases: dict[str, ET.Element] = {}
        for name in (name for tried, name in report.tried if tried is group):
            cases[name] = ET.SubElement(suite, "testcase", classname=group.value, name=_xml(name))
        for each in (each for each in report.observations if each.group is group):
            tag = "failure" if each.fault.severity in failing else "system-out"
            _add_observation(cases[each.name], tag, each)
        for missing in (each for each in report.not_run if each.group is group):
            case = ET.SubElement(suite, "testcase", classname=group.value, name=_xml(missing.name))
            ET.SubElement(case, "skipped", message=_xml(missing.reason))
        _count(suite)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_control(root: ET.Element, report: Report) -> None:
    suite = ET.SubElement(root, "testsuite", name="control")
    case = ET.SubElement(suite, "testcase", classname="control", name="a good token is accepted, before and after")
    if report.control is not None:
        ET.SubElement(case, "failure", message=_xml(report.control))
    _count(suite)


def _add_observation(case: ET.Element, tag: str, each: Observation) -> None:
    lines = (f"{each.outcome} {each.excerpt}", each.fault.meaning, f"Mend: {each.fault.remedy}")
    message = {"message": _xml(f"{each.fault.severity}: {each.fault.title}")} if tag == "failure" else {}
    heading = () if message else (f"{each.fault.severity}: {each.fault.title}",)
    ET.SubElement(case, tag, message).text = _xml("\n".join((*heading, *lines)))


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in suite)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in suite)))


def _xml(text: str) -> str:
    # XML 1.0 has no other control characters, not even escaped.
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
