"""Reports: real output keeps to the schemas that ship with the kit, and says what a reader needs."""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.protocol import Fault
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance import trace
from pvkit.conformance.catalogue import selected
from pvkit.conformance.commands import run as run_command
from pvkit.conformance.commands.replay import SHIPPED, located
from pvkit.conformance.execute import execute
from pvkit.conformance.failures import save_failure
from pvkit.conformance.invariant import Violation
from pvkit.conformance.judge import judge
from pvkit.conformance.report import FORMATS, write_reports
from pvkit.conformance.reporters import html_report, json_report, junit, terminal, text, yaml_report
from pvkit.conformance.run_report import RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.runner import run
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan
from pvkit.strategies.plan_file import read_plans
from pvkit.strategies.plans import plans

SCHEMAS = SHIPPED.parent / "schemas"


def check(instance: Any, schema: str) -> None:
    """Raise unless the instance keeps to a schema of the kit."""
    jsonschema.validate(instance, json.loads((SCHEMAS / f"{schema}.json").read_text()))


@pytest.fixture(scope="module")
def report() -> RunReport:
    """A short run on a model that never makes a volume Available."""
    asked = Settings(profile="smoke", plans=5, canary=False, spec="mutant:never-available", command="pvkit run")
    return run(MutantModel(named("never-available")), selected(("phases",)), asked, plans("smoke"))


def test_results_keep_to_their_schema(report: RunReport) -> None:
    check(json.loads(json_report.render(report)), "results")


def test_a_conformance_report_keeps_to_its_schema(report: RunReport) -> None:
    check(yaml.safe_load(yaml_report.render(report)), "report")


def test_every_line_of_a_trace_keeps_to_its_schema() -> None:
    history = execute(read_plans(located("walkthrough"))[0], ReferenceModel(), seed="7")
    first, *others = map(json.loads, trace.lines(history))
    check(first, "trace-header")
    schema = json.loads((SCHEMAS / "trace-entry.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [line for line in others if not validator.is_valid(line)] == []


def test_a_shipped_plan_keeps_to_its_schema() -> None:
    check(yaml.safe_load(located("walkthrough").read_text()), "plan")


def test_a_saved_failure_keeps_to_its_schema_and_fails_again(report: RunReport, tmp_path: Path) -> None:
    line = next(line for line in report.lines if line.verdict is Verdict.FAIL)
    saved = save_failure(line, report, tmp_path)
    check(yaml.safe_load(saved.read_text()), "plan")
    history = execute(read_plans(saved)[0], MutantModel(named("never-available")))
    assert judge(history, [line.invariant])[0].verdict is Verdict.FAIL


def test_the_text_leads_with_what_is_broken_and_says_what_was_expected(report: RunReport) -> None:
    shown = text.render(report).splitlines()
    assert shown[2].startswith("FAIL")
    assert {"expected:", "observed:", "witnesses:"} <= {line.split(" ")[0] for line in shown}
    assert "the same run again: pvkit run" in shown


def test_junit_counts_what_it_holds(report: RunReport) -> None:
    suite = ElementTree.fromstring(junit.render(report))
    assert int(suite.attrib["tests"]) == len(report.lines) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) > 0


@settings(max_examples=50)
@given(message=st.text(min_size=1))
def test_junit_is_xml_whatever_a_backend_says(report: RunReport, message: str) -> None:
    lines = tuple(replace(line, violation=Violation(message)) if line.violation else line for line in report.lines)
    failed = ElementTree.fromstring(junit.render(replace(report, lines=lines))).find("testcase/failure")
    assert failed is not None
    assert "the plan:" in (failed.text or "")
    assert len(failed.attrib["message"]) == len(message)


def test_every_format_has_a_file_and_writes_it(report: RunReport, tmp_path: Path) -> None:
    written = write_reports(report, tmp_path, tuple(FORMATS))
    assert sorted(path.name for path in written) == sorted(name for name, _ in FORMATS.values())
    assert all(path.stat().st_size for path in written)


def test_the_command_line_offers_every_format_there_is() -> None:
    assert set(run_command.FORMATS) == set(FORMATS)


class Page(HTMLParser):
    """The words and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.tags, self.wants = "", list[str](), list[str]()
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.wants += [
            value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")
        ]


def test_a_page_says_what_the_text_says_and_needs_nothing_but_itself(report: RunReport) -> None:
    page = Page(html_report.render(report))
    assert page.wants == []
    assert {"script", "link", "img"}.isdisjoint(page.tags)
    assert page.tags.count("section") == sum(line.verdict is Verdict.FAIL for line in report.lines) > 0
    assert all(line.invariant.sentence in page.words for line in report.lines)
    assert all(line.violation.message in page.words for line in report.lines if line.violation)
    assert text.summary(report) in page.words


SAYABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@settings(max_examples=50)
@given(message=SAYABLE, name=SAYABLE, reason=SAYABLE, command=SAYABLE)
def test_nothing_that_a_backend_says_becomes_part_of_a_page(
    report: RunReport, message: str, name: str, reason: str, command: str
) -> None:
    def page(message: str, name: str, reason: str, command: str) -> Page:
        violation = Violation(message, ({"kind": "Pod", "metadata": {"name": name}},))
        line = next(replace(line, violation=violation, reason=reason) for line in report.lines if line.violation)
        return Page(html_report.render(replace(report, lines=(line,), command=command)))

    made = page(message, name, reason, command)
    assert f"Observed: {message}\n" in made.words
    assert f"The same run again: {command}\n" in made.words
    assert made.tags == page("a", "b", "c", "d").tags


def shown(report: RunReport, width: int = 100, **more: Any) -> str:
    """What a terminal of that width shows."""
    stream = io.StringIO()
    terminal.show(report, console=Console(file=stream, width=width, force_terminal=True, highlight=False), **more)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


@pytest.mark.parametrize("width", [60, 100, 200])
def test_a_terminal_shows_what_the_text_says_within_its_width(report: RunReport, width: int) -> None:
    told = shown(report, width)
    assert max(map(len, told.splitlines())) <= width
    words = " ".join(told.split())
    broken = [line for line in report.lines if line.violation]
    assert all(line.violation.message in words for line in broken if line.violation)
    verdicts = [
        row.split()[0] for row in told.splitlines() if row.split()[:1] and row.split()[0] in Verdict.__members__
    ]
    assert verdicts == [str(line.verdict) for line in report.lines]
    assert told.splitlines()[-1].startswith("FAIL: ")


def test_a_fault_in_square_brackets_is_no_markup(report: RunReport) -> None:
    plan = Plan((Fault("hold", {"controller": "binder", "kind": "Pod"}),))
    lines = tuple(replace(line, plan=plan) if line.violation else line for line in report.lines)
    assert "1. [hold] controller=binder kind=Pod" in shown(replace(report, lines=lines))
