"""Writes the catalogues of `docs/` from the code: `python docs/generate.py`; with `--check` it only compares."""

import sys
from pathlib import Path

from pvkit.backends.mutants.registry import all_mutants
from pvkit.conformance.catalogue import all_invariants

HERE = Path(__file__).parent


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def invariants() -> str:
    """Every promise that is judged."""
    killers: dict[str, list[str]] = {}
    for broken in all_mutants().values():
        for id in broken.breaks:
            killers.setdefault(id, []).append(broken.id)
    lines = [
        "# Invariants",
        "",
        f"The {len(all_invariants())} promises that a history is judged by. Generated; do not edit.",
        "",
    ]
    for topic in sorted({entry.topic for entry in all_invariants()}):
        rows = [
            (
                entry.id,
                entry.sentence,
                entry.level.value,
                entry.scope.value,
                entry.source,
                ", ".join(killers.get(entry.id, ())),
            )
            for entry in all_invariants()
            if entry.topic == topic
        ]
        lines += [
            f"## {topic}",
            "",
            *_table(("id", "promise", "level", "scope", "source", "mutants that break it"), rows),
            "",
        ]
    return "\n".join(lines)


def mutants() -> str:
    """Every way in which the model is broken on purpose."""
    rows = [
        (broken.id, broken.sentence, ", ".join(broken.breaks), ", ".join(broken.after), ", ".join(broken.needs) or "-")
        for broken in all_mutants().values()
    ]
    columns = ("id", "what is broken", "noticed by", "stands for", "shows only under")
    head = [
        "# Mutants",
        "",
        f"The {len(rows)} broken models that prove that the invariants can fail. Generated; do not edit.",
        "",
    ]
    return "\n".join([*head, *_table(columns, rows), ""])


PAGES = {"invariants.md": invariants, "mutants.md": mutants}


def stale() -> list[str]:
    """The pages that do not say what the code says."""
    return [name for name, page in PAGES.items() if not (HERE / name).exists() or (HERE / name).read_text() != page()]


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale())}; run python docs/generate.py" if stale() else 0)
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
