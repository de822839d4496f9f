"""A report as plain fields, shared by the formats that machines read."""

from typing import Any

from pvkit.conformance.run_report import Line, RunReport


def report_fields(report: RunReport) -> dict[str, Any]:
    """The whole report."""
    return {
        "implementation": report.backend.implementation,
        "implementationVersion": report.backend.version,
        "kubernetesVersion": report.backend.kubernetes_version,
        "kitVersion": report.kit,
        "profile": report.profile,
        "seed": report.seed,
        "plans": report.plans,
        "skipped": dict(sorted(report.skipped.items())),
        "seconds": round(report.seconds, 3),
        "verdict": report.verdict,
        "interrupted": report.interrupted,
        "leftBehind": report.unclean,
        "canary": {
            "mutant": report.canary.mutant,
            "invariant": report.canary.invariant,
            "caught": report.canary.caught,
            "plans": report.canary.plans,
        },
        "shapes": dict(sorted(report.shapes.items())),
        "reproduce": report.command,
        "rules": [line_fields(line) for line in report.lines],
    }


def line_fields(line: Line) -> dict[str, Any]:
    """One rule."""
    rule = line.invariant
    fields: dict[str, Any] = {
        "id": rule.id,
        "sentence": rule.sentence,
        "level": rule.level.value,
        "source": rule.source,
        "verdict": str(line.verdict),
        "held": line.held,
        "atRisk": line.at_risk,
        "broken": line.broken,
    }
    fields |= {"reason": line.reason} if line.reason else {}
    fields |= {"violation": line.violation.message} if line.violation else {}
    return fields | ({"reproduce": f"pvkit replay {line.file}", "steps": line.steps} if line.file else {})
