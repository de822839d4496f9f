"""Reports: real output keeps to the schemas that ship with the kit, and says what a reader needs."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance import trace
from pvkit.conformance.catalogue import selected
from pvkit.conformance.commands.replay import SHIPPED, located
from pvkit.conformance.execute import execute
from pvkit.conformance.failures import save_failure
from pvkit.conformance.judge import judge
from pvkit.conformance.reporters import json_report, junit, text, yaml_report
from pvkit.conformance.run_report import RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.runner import run
from pvkit.conformance.verdict import Verdict
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
