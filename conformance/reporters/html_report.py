"""`report.html`: the report as one page that needs nothing but itself, to be sent or kept with a build."""

from collections.abc import Iterable
from html import escape
from string import Template

from pvkit.conformance.reporters import text
from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.verdict import Verdict

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { padding: .2rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid #8884 }
td.number { text-align: right; font-variant-numeric: tabular-nums }
pre { overflow-x: auto; padding: .6rem; background: #8881 }
section { border-left: .25rem solid #c22; padding-left: 1rem; margin: 2rem 0 }
.FAIL, .INVALID { color: #c22; font-weight: bold }
.UNKNOWN { color: #a3a }
.NOT_EXERCISED { color: #a70 }
.PASS { color: #283 }
.why, .NOT_SUPPORTED { opacity: .7 }
</style>
</head>
<body>
<h1 class="$verdict">$verdict</h1>
<p>$head</p>
<p>$summary</p>
<p>$canary</p>
$failures
<h2>Promises</h2>
<table>
<thead><tr><th>verdict</th><th>rule</th><th>level</th><th>held</th><th>at risk</th><th>promise</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
$shapes
<p>The same run again: <code>$command</code></p>
</body>
</html>
""")


def render(report: RunReport) -> str:
    """The report as HTML; everything that a backend or a plan said is escaped."""
    return _PAGE.substitute(
        title=escape(f"{report.verdict}: {report.backend.implementation}"),
        verdict=escape(report.verdict),
        head=escape(text.head(report)),
        summary=escape(text.summary(report)),
        canary=escape(text.canary(report)),
        failures="\n".join(_failure(line) for line in report.lines if line.verdict is Verdict.FAIL),
        rows="\n".join(map(_row, report.lines)),
        shapes=_shapes(report),
        command=escape(report.command),
    )


def _row(line: Line) -> str:
    rule, verdict = line.invariant, str(line.verdict)
    why = f' <span class="why">({escape(text.why(line))})</span>' if text.why(line) else ""
    there = f'<a href="#{escape(rule.id)}">{escape(rule.id)}</a>' if line.verdict is Verdict.FAIL else escape(rule.id)
    return (
        f'<tr><td class="{verdict}">{verdict}</td><td>{there}</td><td>{escape(rule.level.value)}</td>'
        f'<td class="number">{line.held:,}</td><td class="number">{line.at_risk:,}</td>'
        f'<td title="{escape(rule.source)}">{escape(rule.sentence)}{why}</td></tr>'
    )


def _failure(line: Line) -> str:
    rule = line.invariant
    parts = [f'<section id="{escape(rule.id)}">', f"<h2>{escape(rule.id)} ({escape(rule.level.value)})</h2>"]
    parts.append(_paragraph("Expected", rule.sentence))
    if line.violation is not None:
        parts.append(_paragraph("Observed", line.violation.message))
    parts.append(_paragraph("Source", rule.source))
    if line.violation is not None:
        parts += [_folded("Witnesses", text.witnesses(line.violation))] if line.violation.witnesses else []
    if line.plan is not None:
        parts.append(f"<p>The plan:</p>{_code(text.steps(line.plan))}")
    if line.file:
        parts.append(f"<p>Reproduce with: <code>{escape(f'pvkit replay {line.file}')}</code></p>")
    return "\n".join([*parts, "</section>"])


def _paragraph(what: str, words: str) -> str:
    return f"<p>{what}: {escape(words)}</p>"


def _code(lines: Iterable[str]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def _folded(what: str, blocks: list[str]) -> str:
    return f"<details open><summary>{what}</summary>{''.join(_code([block.rstrip()]) for block in blocks)}</details>"


def _shapes(report: RunReport) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(cells)}</td></tr>"
        for name, cells in text.shape_rows(report.shapes).items()
    )
    return f"<h2>Claims met volumes</h2>\n<table><tbody>\n{rows}\n</tbody></table>" if rows else ""
