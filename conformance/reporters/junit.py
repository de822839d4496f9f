"""`junit.xml`: one test case a rule, for continuous integration."""

from xml.etree import ElementTree

from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.verdict import Verdict


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
            ElementTree.SubElement(case, "failure", message=message).text = f"pvkit replay {line.file}"
        case Verdict.UNKNOWN:
            ElementTree.SubElement(case, "error", message=line.reason.strip().splitlines()[-1] if line.reason else "")
        case Verdict.NOT_EXERCISED | Verdict.NOT_SUPPORTED:
            ElementTree.SubElement(case, "skipped", message=line.reason or "its premise never held")
