"""`results.json`: the report for a machine."""

import json

from pvkit.conformance.reporters.fields import report_fields
from pvkit.conformance.run_report import RunReport


def render(report: RunReport) -> str:
    """The report as JSON."""
    return json.dumps(report_fields(report), indent=1) + "\n"
