"""Reports as files: each format is a module of `reporters/` with one function."""

from collections.abc import Callable
from pathlib import Path

from pvkit.conformance.reporters import html_report, json_report, junit, text, yaml_report
from pvkit.conformance.run_report import RunReport

FORMATS: dict[str, tuple[str, Callable[[RunReport], str]]] = {
    "text": ("report.txt", text.render),
    "json": ("results.json", json_report.render),
    "junit": ("junit.xml", junit.render),
    "html": ("report.html", html_report.render),
    "yaml": ("report.yaml", yaml_report.render),
}
"""File name and function of each format."""


def write_reports(report: RunReport, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write the report in each of the formats; returns the files."""
    written = []
    for word in formats:
        name, render = FORMATS[word]
        (folder / name).write_text(render(report), encoding="utf-8", errors="backslashreplace")
        written.append(folder / name)
    return written
