"""The report on a terminal: what the text says, in columns that fit the window, and in colours."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from pvkit.conformance.reporters import text
from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.verdict import Verdict

STYLES = {
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "magenta",
    Verdict.NOT_EXERCISED: "yellow",
    Verdict.NOT_SUPPORTED: "dim",
    Verdict.PASS: "green",
}
_WORDS = {str(verdict): style for verdict, style in STYLES.items()} | {"INVALID": "bold red"}


def show(report: RunReport, quiet: bool = False, console: Console | None = None) -> None:
    """Print the whole report; `quiet` leaves out what there is nothing to do about."""
    console = console or Console(highlight=False)
    console.print(Text(text.head(report), style="bold"))
    show_lines(tuple(line for line in report.lines if not quiet or line.verdict >= Verdict.UNKNOWN), console)
    for line in report.lines:
        if line.verdict is Verdict.FAIL:
            console.print(failure(line))
    if report.shapes and not quiet:
        console.print(_shapes(report))
    console.print(Text(text.canary(report), style="" if report.canary.caught else "yellow"))
    if report.command:
        console.print(Text(f"the same run again: {report.command}", style="dim"))
    console.print(Text(f"\n{text.summary(report)}", style=f"{_WORDS[report.verdict]} bold"))


def show_lines(lines: tuple[Line, ...], console: Console | None = None) -> None:
    """Print one row an invariant."""
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for name in ("verdict", "rule", "held", "at risk", "promise"):
        table.add_column(name, justify="right" if name in ("held", "at risk") else "left", no_wrap=name != "promise")
    for line in lines:
        promise = Text(line.invariant.sentence)
        if why := text.why(line):
            promise.append(f"  ({why})", style="dim")
        verdict = Text(str(line.verdict), style=STYLES[line.verdict])
        table.add_row(verdict, line.invariant.id, f"{line.held:,}", f"{line.at_risk:,}", promise)
    if lines:
        (console or Console(highlight=False)).print(Padding(table, (1, 0)))


def failure(line: Line) -> RenderableType:
    """One broken promise, with all it takes to see it again."""
    rule = line.invariant
    parts: list[RenderableType] = [Rule(Text(f"{rule.id} ({rule.level.value})", style="bold red"), align="left")]
    parts += [_said("expected", rule.sentence), _said("source", rule.source)]
    if line.violation is not None:
        parts.append(_said("observed", line.violation.message, "red"))
        parts += [_said("at", line.place)] if line.place else []
        for witness in text.witnesses(line.violation):
            code = Syntax(witness.rstrip(), "yaml", theme="ansi_dark", background_color="default", word_wrap=True)
            parts.append(Padding(code, (0, 0, 1, 4)))
    if line.plan is not None:
        parts += [_said("plan", f"{line.steps} step{'s' * (line.steps != 1)}"), *map(Text, text.steps(line.plan))]
    if line.file:
        parts.append(_said("\nReproduce with", f"pvkit replay {line.file}", "bold"))
    return Padding(Group(*parts), (0, 0, 1, 0))


def _said(what: str, words: str, style: str = "") -> Text:
    return Text.assemble((f"{what}: ", "dim"), (words, style))


def _shapes(report: RunReport) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, cells in text.shape_rows(report.shapes).items():
        table.add_row(Text(name, style="dim"), cells)
    return Padding(Group(Text("claims met volumes", style="dim"), Padding(table, (0, 0, 0, 2))), (0, 0, 1, 0))
