"""`pvkit explain`: for each claim which volumes were considered, what refused each, and which won and why."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Manifests; repeatable.",
)
def command(files: tuple[Path, ...]) -> int:
    """Tell for each claim in some manifests which volume it takes, and what speaks against the others."""
    from pvkit.backends.errors import UsageError
    from pvkit.backends.reference.explain import explain
    from pvkit.strategies.manifests import read_manifests

    found = {path: read_manifests(path, known_only=True) for path in files}
    for path, within in found.items():
        if not within:
            raise UsageError(f"{path} is empty; name files with claims and volumes by -f")
    objects = [obj for within in found.values() for obj in within]
    claims = [obj for obj in objects if obj["kind"] == "PersistentVolumeClaim"] + from_templates(objects)
    if not claims:
        raise UsageError(f"no PersistentVolumeClaim in {', '.join(map(str, files))}; name a file with one by -f")
    volumes = [obj for obj in objects if obj["kind"] == "PersistentVolume"]
    classes = [obj for obj in objects if obj["kind"] == "StorageClass"]
    for claim in claims:
        click.echo(rendered(explain(_placed(claim), volumes, classes)))
    return 0


def from_templates(objects: list[Any]) -> list[Any]:
    """The first claim of each claim template of the StatefulSets."""
    from pvkit.backends.workloads import claim_name, first_ordinal, templates

    return [
        {
            "kind": "PersistentVolumeClaim",
            "metadata": {**template["metadata"], "name": claim_name(template, owner, first_ordinal(owner))},
            "spec": template["spec"],
        }
        for owner in objects
        if owner["kind"] == "StatefulSet"
        for template in templates(owner)
    ]


def _placed(claim: Any) -> Any:
    return {**claim, "metadata": {"namespace": "default", **claim["metadata"]}}


def rendered(found: Any) -> str:
    """One claim's story in lines."""
    lines = [f"claim {found.claim}"]
    for entry in found.candidates:
        verdict = f"no   {entry.refused}" if entry.refused else "fits" + (" (reserved)" if entry.reserved else "")
        lines.append(f"  {entry.volume:<24} {verdict}")
    taken = " or ".join(found.winners)
    lines.append(f"  takes {taken}: {found.why}" if taken else f"  takes none: {found.why}")
    return "\n".join(lines) + "\n"
