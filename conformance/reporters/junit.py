"""`junit.xml`: one test case a rule, for continuous integration."""

import re
from xml.etree import ElementTree

from pvkit.conformance.reporters import text
from pvkit.conformance.reporters.fields import report_fields
from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.verdict import Verdict

PROPERTIES = ("implementation", "implementationVersion", "kubernetesVersion", "kitVersion", "profile", "seed", "plans",
              "verdict", "interrupted", "reproduce")  # fmt: skip
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, not even escaped; a backend may say it all the same."""


def render(report: RunReport) -> str:
    """The report as JUnit XML."""
    count = {verdict: sum(line.verdict is verdict for line in report.lines) for verdict in Verdict}
    suite = ElementTree.Element(
        "testsuite",
        name="pvkit",
        tests=str(len(report.lines)),
        failures=str(count[Verdict.FAIL]),
        errors=str(count[Verdict.UNKNOWN]),
        skipped=str(count[Verdict.NOT_EXERCISED] + count[Verdict.NOT_SUPPORTED]),
        time=f"{report.seconds:.3f}",
    )
    properties, fields = ElementTree.SubElement(suite, "properties"), report_fields(report)
    for name in PROPERTIES:
        ElementTree.SubElement(properties, "property", name=name, value=_kept(str(fields[name])))
    ElementTree.SubElement(properties, "property", name="canary", value=_kept(text.canary(report)))
    for line in report.lines:
        _case(suite, line)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, line: Line) -> None:
    name = f"{line.invariant.id} {line.invariant.sentence}"
    case = ElementTree.SubElement(suite, "testcase", classname=f"pvkit.{line.invariant.topic}", name=name)
    match line.verdict:
        case Verdict.FAIL:
            message = line.violation.message if line.violation else ""
            ElementTree.SubElement(case, "failure", message=_kept(message)).text = _kept(text.failure(line))
        case Verdict.UNKNOWN:
            ElementTree.SubElement(case, "error", message=_kept(text.why(line))).text = _kept(line.reason)
        case Verdict.NOT_EXERCISED | Verdict.NOT_SUPPORTED:
            ElementTree.SubElement(case, "skipped", message=_kept(line.reason or "its premise never held"))


def _kept(words: str) -> str:
    return _FORBIDDEN.sub("\ufffd", words)
