"""`report.yaml`: a ConformanceReport, an object as Kubernetes people know them."""

import yaml

from pvkit.conformance.reporters.fields import report_fields
from pvkit.conformance.run_report import RunReport


def render(report: RunReport) -> str:
    """The report as a versioned API object."""
    head = {"apiVersion": "pvkit/v1", "kind": "ConformanceReport"}
    return yaml.safe_dump({**head, **report_fields(report)}, sort_keys=False, width=110)
