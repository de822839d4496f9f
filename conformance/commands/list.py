"""`pvkit list`: what there is, with a sentence each."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import click

Row = dict[str, Any]


def invariant_rows() -> list[Row]:
    """The promises that are judged."""
    from pvkit.conformance.catalogue import all_invariants

    return [
        {
            "id": entry.id,
            "level": entry.level.value,
            "versions": _span(entry.versions),
            "sentence": entry.sentence,
            "topic": entry.topic,
            "scope": entry.scope.value,
            "tags": sorted(entry.tags),
            "needs": sorted(entry.needs),
            "source": entry.source,
        }
        for entry in all_invariants()
    ]


def _span(versions: tuple[str, ...]) -> str:
    return versions[0] if len(versions) == 1 else f"{versions[0]}-{versions[-1]}"


def rule_rows() -> list[Row]:
    """The rules of the reference model."""
    from pvkit.backends import reference
    from pvkit.backends.reference.rules import Rule

    found: dict[tuple[str, str], Row] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(reference.__path__)):
        chapter = importlib.import_module(f"{reference.__name__}.{module}")
        for value in vars(chapter).values():
            if isinstance(value, Rule) and value.body.__module__ == chapter.__name__:
                row = {"id": value.id, "on": value.on, "sentence": value.sentence, "chapter": module}
                found[(module, value.id)] = row
    return [found[at] for at in sorted(found)]


def mutant_rows() -> list[Row]:
    """The ways in which the model is broken on purpose."""
    from pvkit.backends.mutants.registry import all_mutants

    return [
        {
            "id": entry.id,
            "sentence": entry.sentence,
            "breaks": list(entry.breaks),
            "after": list(entry.after),
            "needs": list(entry.needs),
        }
        for entry in all_mutants().values()
    ]


def backend_rows() -> list[Row]:
    """What plans can run on."""
    from pvkit.backends.registry import backend_names

    return [{"id": name, "sentence": sentence} for name, sentence in backend_names().items()]


def profile_rows() -> list[Row]:
    """Sizes of runs."""
    from pvkit.conformance.run_settings import PROFILES

    return [
        {"id": name, "sentence": entry.sentence, "plans": entry.plans, "seconds": entry.seconds}
        for name, entry in PROFILES.items()
    ]


def fault_rows() -> list[Row]:
    """The disturbances that the model obeys."""
    from pvkit.backends.reference.faults import FAULTS
    from pvkit.strategies.faults import WORDS

    return [
        {
            "id": word,
            "sentence": (body.__doc__ or "").split("\n")[0],
            "options": sorted(WORDS[word].needs) if word in WORDS else [],
            "may have": sorted(WORDS[word].may) if word in WORDS else [],
        }
        for word, body in sorted(FAULTS.items())
    ]


ROWS: dict[str, Callable[[], list[Row]]] = {
    "invariants": invariant_rows,
    "rules": rule_rows,
    "mutants": mutant_rows,
    "backends": backend_rows,
    "profiles": profile_rows,
    "faults": fault_rows,
}


@click.command()
@click.argument("what", type=click.Choice(list(ROWS)))
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every field.")
def command(what: str, as_json: bool) -> None:
    """List what there is, with a sentence each."""
    rows = ROWS[what]()
    click.echo(json.dumps(rows, indent=1) if as_json else rendered(rows))


def rendered(rows: list[Row]) -> str:
    """A line a row: the short fields in columns, the sentence, and below it what else there is, field by field."""
    if not rows:
        return "nothing"
    short = list(rows[0])[: list(rows[0]).index("sentence")]
    widths = {name: max(len(str(row[name])) for row in rows) for name in short}
    below = " " * (widths["id"] + 2)
    lines = []
    for row in rows:
        lines.append("  ".join([*(f"{row[name]!s:<{widths[name]}}" for name in short), row["sentence"]]))
        rest = [f"{name}: {_joined(row[name])}" for name in row if name not in (*short, "sentence") and row[name]]
        lines += [f"{below}{'; '.join(rest[at : at + 4])}" for at in range(0, len(rest), 4)]
    return "\n".join(lines)


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
