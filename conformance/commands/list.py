"""`pvkit list`: what there is, with a sentence each."""

import importlib
import json
import pkgutil
from collections.abc import Callable

import click

Row = dict[str, str]


def invariant_rows() -> list[Row]:
    """The promises that are judged."""
    from pvkit.conformance.catalogue import all_invariants

    return [
        {
            "id": entry.id,
            "sentence": entry.sentence,
            "topic": entry.topic,
            "level": entry.level.value,
            "scope": entry.scope.value,
            "source": entry.source,
            "versions": f"{entry.versions[0]} to {entry.versions[-1]}",
        }
        for entry in all_invariants()
    ]


def rule_rows() -> list[Row]:
    """The rules of the reference model."""
    from pvkit.backends import reference
    from pvkit.backends.reference.rules import Rule

    found: dict[tuple[str, str], Row] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(reference.__path__)):
        chapter = importlib.import_module(f"{reference.__name__}.{module}")
        for value in vars(chapter).values():
            if isinstance(value, Rule) and value.body.__module__ == chapter.__name__:
                row = {"id": value.id, "sentence": value.sentence, "chapter": module, "on": value.on}
                found[(module, value.id)] = row
    return [found[at] for at in sorted(found)]


def mutant_rows() -> list[Row]:
    """The ways in which the model is broken on purpose."""
    from pvkit.backends.mutants.registry import all_mutants

    return [
        {
            "id": entry.id,
            "sentence": entry.sentence,
            "breaks": ", ".join(entry.breaks),
            "after": ", ".join(entry.after),
            "needs": ", ".join(entry.needs),
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

    return [{"id": name, "sentence": entry.sentence, "plans": str(entry.plans)} for name, entry in PROFILES.items()]


def fault_rows() -> list[Row]:
    """The disturbances that the model obeys."""
    from pvkit.backends.reference.faults import FAULTS

    return [{"id": word, "sentence": (body.__doc__ or "").split("\n")[0]} for word, body in sorted(FAULTS.items())]


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
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        rest = ", ".join(f"{name}: {row[name]}" for name in row if name not in ("id", "sentence") and row[name])
        click.echo(f"{row['id']:<{width}}  {row['sentence']}" + (f"  [{rest}]" if rest else ""))
