"""The report that a person reads: worst first, then each failure with what it takes to see it again."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pvkit.backends.objects import Obj
from pvkit.conformance.playback import described
from pvkit.conformance.run_report import Canary, Line, RunReport
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan

_COLORS = {
    Verdict.FAIL: "\x1b[31m",
    Verdict.UNKNOWN: "\x1b[35m",
    Verdict.NOT_EXERCISED: "\x1b[33m",
    Verdict.PASS: "\x1b[32m",
}
_END = "\x1b[0m"
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp", "annotations", "labels")


def render_lines(lines: tuple[Line, ...], color: bool = False) -> str:
    """One line an invariant: verdict, id, how often held and at risk, and its sentence."""
    return "\n".join(_line(line, color) for line in lines)


def _line(line: Line, color: bool) -> str:
    word = f"{line.verdict!s:<13}"
    word = f"{_COLORS.get(line.verdict, '')}{word}{_END}" if color else word
    counts = f"held {line.held:>6,}  at risk {line.at_risk:>6,}"
    reason = f"  ({line.reason.strip().splitlines()[-1]})" if line.reason and line.verdict is not Verdict.PASS else ""
    return f"{word} {line.invariant.id:<8} {counts}  {line.invariant.sentence}{reason}"


def render(report: RunReport, color: bool = False) -> str:
    """The whole report."""
    parts = [
        f"pvkit {report.kit}: {report.backend.implementation}, Kubernetes {report.backend.kubernetes_version}, "
        f"profile {report.profile}, seed {report.seed}",
        render_lines(report.lines, color),
        *(_failure(line) for line in report.lines if line.verdict is Verdict.FAIL),
        _shapes(report.shapes),
        _canary(report.canary),
        f"the same run again: {report.command}" if report.command else "",
        summary(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(report: RunReport) -> str:
    """The last line: the verdict in a word, and the counts behind it."""
    counts = [(sum(line.verdict is verdict for line in report.lines), word) for verdict, word in _WORDS]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{report.verdict}: {told}; {report.plans} plans in {report.seconds:.0f} s"


_WORDS = (
    (Verdict.PASS, "hold"),
    (Verdict.NOT_EXERCISED, "not exercised"),
    (Verdict.UNKNOWN, "undecided"),
    (Verdict.FAIL, "broken"),
    (Verdict.NOT_SUPPORTED, "not supported"),
)


def _canary(canary: Canary) -> str:
    if canary.caught is None:
        return "no canary was tried: nothing shows that this run could have failed"
    tried = f"{canary.plans} plans ({canary.seconds:.1f} s)"
    if canary.caught:
        return f"canary: {canary.mutant} was caught by {canary.invariant} after {tried}"
    return f"canary: {canary.mutant} was NOT caught by {canary.invariant} in {tried}: this run proves nothing"


def _shapes(shapes: Mapping[str, int]) -> str:
    if not shapes:
        return ""
    rows: dict[str, list[str]] = {}
    for name in sorted(shapes):
        predicate, _, shape = name.partition(": ")
        rows.setdefault(predicate, []).append(f"{shape} {shapes[name]:,}")
    width = max(map(len, rows))
    return "\n".join(
        ["claims met volumes:", *(f"  {name:<{width}}  {', '.join(cells)}" for name, cells in rows.items())]
    )


def _failure(line: Line) -> str:
    rule = line.invariant
    parts = [f"FAIL {rule.id} ({rule.level.value}): {rule.sentence}", f"source: {rule.source}"]
    if line.violation is not None:
        parts += [f"expected: {rule.sentence}", f"observed: {line.violation.message}", "witnesses:"]
        parts += [_indented(yaml.safe_dump(trimmed(obj), sort_keys=False)) for obj in line.violation.witnesses[:3]]
    if line.plan is not None:
        parts += ["the plan:", *steps(line.plan)]
    if line.file:
        parts.append(f"Reproduce with: pvkit replay {line.file}")
    return "\n".join(parts)


def trimmed(obj: Obj) -> dict[str, Any]:
    """An object without what no reader needs."""
    metadata = {field: value for field, value in obj["metadata"].items() if field in _SHOWN}
    return {
        "kind": obj["kind"],
        "metadata": metadata,
        **{part: obj[part] for part in ("spec", "status") if part in obj},
    }


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


def steps(plan: Plan) -> Iterator[str]:
    """The steps of a plan, numbered, one line each."""
    for number, step in enumerate(plan.steps, start=1):
        yield f"  {number}. {described(step)}"
    for entry in plan.schedule:
        yield f"  at {entry.point} {entry.at}: {entry.take}"
