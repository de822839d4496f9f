"""The report that a person reads: worst first, then each failure with what it takes to see it again."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pvkit.backends.objects import Obj
from pvkit.conformance.invariant import Violation
from pvkit.conformance.playback import described
from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp", "annotations", "labels")
MOST_WITNESSES = 3


def render_lines(lines: tuple[Line, ...]) -> str:
    """One line an invariant: verdict, id, how often held and at risk, and its sentence."""
    return "\n".join(map(_line, lines))


def _line(line: Line) -> str:
    counts = f"held {line.held:>6,}  at risk {line.at_risk:>6,}"
    reason = f"  ({why(line)})" if why(line) else ""
    return f"{line.verdict!s:<13} {line.invariant.id:<8} {counts}  {line.invariant.sentence}{reason}"


def why(line: Line) -> str:
    """Why an invariant is not decided, in one line; "" if it is."""
    return line.reason.strip().splitlines()[-1] if line.reason and line.verdict is not Verdict.PASS else ""


def render(report: RunReport, quiet: bool = False) -> str:
    """The whole report; `quiet` leaves out what there is nothing to do about."""
    parts = [
        head(report),
        render_lines(tuple(line for line in report.lines if not quiet or line.verdict >= Verdict.UNKNOWN)),
        *(failure(line) for line in report.lines if line.verdict is Verdict.FAIL),
        "" if quiet else _shapes(report.shapes),
        skipped(report.skipped),
        canary(report),
        f"the same run again: {report.command}" if report.command else "",
        f"LEFT BEHIND: {report.unclean}" if report.unclean else "",
        summary(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(report: RunReport) -> str:
    """What was run on what."""
    return (
        f"pvkit {report.kit}: {report.backend.implementation}, Kubernetes {report.backend.kubernetes_version}, "
        f"profile {report.profile}, seed {report.seed}"
    )


def summary(report: RunReport) -> str:
    """The last line: the verdict in a word, and the counts behind it."""
    counts = [(sum(line.verdict is verdict for line in report.lines), word) for verdict, word in _WORDS]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    when = "INTERRUPTED, until then " if report.interrupted else ""
    strict = ", and all were to be exercised" if report.strict and report.verdict == "UNKNOWN" else ""
    left_out = sum(report.skipped.values())
    more = f", {left_out} skipped" if left_out else ""
    return f"{when}{report.verdict}: {told}{strict}; {report.plans} plans in {report.seconds:.0f} s{more}"


_WORDS = (
    (Verdict.PASS, "hold"),
    (Verdict.NOT_EXERCISED, "not exercised"),
    (Verdict.UNKNOWN, "undecided"),
    (Verdict.FAIL, "broken"),
    (Verdict.NOT_SUPPORTED, "not supported"),
)


def canary(report: RunReport) -> str:
    """Whether the run could have failed, in a line."""
    tried = report.canary
    if tried.caught is None:
        failed = any(line.verdict is Verdict.FAIL for line in report.lines)
        return "no canary was tried" + ("" if failed else ": nothing shows that this run could have failed")
    if tried.told:
        noticed = f"was noticed by {tried.invariant}" if tried.caught else "was NOT noticed: this run proves nothing"
        return f"canary: a false copy of a history ({tried.told}) {noticed}"
    spent = f"{tried.plans} plans ({tried.seconds:.1f} s)"
    if tried.caught:
        return f"canary: {tried.mutant} was caught by {tried.invariant} after {spent}"
    return f"canary: {tried.mutant} was NOT caught by {tried.invariant} in {spent}: this run proves nothing"


def skipped(reasons: Mapping[str, int]) -> str:
    """The plans that could not be played, by the reason that was given."""
    rows = [f"  {count:>5,}  {reason}" for reason, count in sorted(reasons.items(), key=lambda row: -row[1])]
    return "\n".join(["plans skipped, because this backend cannot be their world:", *rows]) if rows else ""


def shape_rows(shapes: Mapping[str, int]) -> dict[str, str]:
    """For each predicate of binding how often each shape was met."""
    rows: dict[str, list[str]] = {}
    for name in sorted(shapes):
        predicate, _, shape = name.partition(": ")
        rows.setdefault(predicate, []).append(f"{shape} {shapes[name]:,}")
    return {name: ", ".join(cells) for name, cells in rows.items()}


def _shapes(shapes: Mapping[str, int]) -> str:
    rows = shape_rows(shapes)
    width = max(map(len, rows), default=0)
    return "\n".join(
        ["claims met volumes:", *(f"  {name:<{width}}  {cells}" for name, cells in rows.items())] if rows else []
    )


def failure(line: Line) -> str:
    """One broken promise, with all it takes to see it again."""
    rule = line.invariant
    parts = [f"FAIL {rule.id} ({rule.level.value}): {rule.sentence}", f"source: {rule.source}"]
    if line.violation is not None:
        parts += [f"expected: {rule.sentence}", f"observed: {line.violation.message}"]
        parts += [f"at: {line.place}"] if line.place else []
        parts += ["witnesses:", *(_indented(text) for text in witnesses(line.violation))]
    if line.plan is not None:
        parts += ["the plan:", *steps(line.plan)]
    if line.file:
        parts.append(f"Reproduce with: pvkit replay {line.file}")
    return "\n".join(parts)


def witnesses(violation: Violation) -> list[str]:
    """The objects that show a breach as YAML, the first few of them."""
    return [yaml.safe_dump(trimmed(obj), sort_keys=False) for obj in violation.witnesses[:MOST_WITNESSES]]


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
