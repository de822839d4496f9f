"""What a comparison of the model with a cluster came to: as text, and as the page of results in `docs/`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pvkit.backends.protocol import Event
from pvkit.conformance.explained import Unexplained
from pvkit.conformance.fidelity import Finding
from pvkit.conformance.fidelity_run import KINDS, Account, silent, unseen
from pvkit.conformance.judge import Result

SHOWN = 12
"""How many of a kind are shown in full."""
SILENT = " and wrote nothing: a watch cannot see it"
MEANING = {
    "same": "the settled states and all answers are the same",
    "choice": "the same, once the model chooses as the cluster did where Kubernetes leaves it open",
    "order": "the same, once one controller of the model goes first wherever it has work",
    "timing": "the same, once both rest after each step",
    "different": "nothing explains what differs",
}


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All that one command compared. `answers` are the lines on API answers, `clean` whether they are all the same.

    `version` is "" if the server could not be asked for it in time; `accounts` are then empty.
    """

    server: str
    version: str
    seed: int
    command: str
    accounts: Sequence[Account]
    answers: Sequence[str] = ()
    answers_clean: bool = True
    interrupted: bool = False

    @property
    def against(self) -> str:
        """What the model was held against."""
        return f"{self.server}, Kubernetes {self.version}" if self.version else f"{self.server}, of no known version"

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs that is not explained."""
        return self.answers_clean and all(entry.is_clean for entry in self.accounts)


def render(found: Comparisons) -> str:
    """The whole as text."""
    lines = [f"model against {found.against}, seed {found.seed}"]
    for account in found.accounts:
        lines += ["", *_summary(account), *_odd(account)]
    lines += ["", *found.answers] if found.answers else []
    missing, seen = unseen(found.accounts), sum((entry.seen for entry in found.accounts), Counter[str]())
    lines += ["", f"rules of the model seen on the cluster: {len(seen)}; fired and never seen: {len(missing)}"]
    quiet = silent(found.accounts)
    lines += [f"  {id:12} fired {count:,} times in the model{SILENT * (id in quiet)}" for id, count in missing.items()]
    end = "everything is explained" if found.is_clean else "something differs"
    return "\n".join([*lines, "", f"INTERRUPTED, until then {end}" if found.interrupted else end]) + "\n"


def _summary(account: Account) -> Iterator[str]:
    rate = account.plans / account.seconds if account.seconds else 0.0
    yield f"{account.plans:,} {account.what} in {account.seconds:,.0f} s, {rate:.2f} a second"
    for kind in KINDS:
        yield f"  {kind:10} {account.kinds[kind]:>6,}  {MEANING[kind]}"
    yield f"  promises broken on the cluster: {_told(account.broken) or 'none'}"
    yield f"  undecided: {_told(account.undecided) or 'none'}"
    yield f"  writes of controllers that no rule explains: {len(account.unexplained)}"
    if account.hurried:
        yield f"    explained only with a rest after each step: {account.hurried:,}"
    yield from (
        f"    passes of the model that ended in an error, and explain nothing: {count:,} {who}"
        for who, count in account.broken_off.most_common()
    )
    yield from (f"    not looked at: {count:,} {reason}" for reason, count in account.unlooked.most_common())
    yield from (f"  not played: {count:,} plans: {reason}" for reason, count in account.skipped.most_common())
    yield from (
        f"  left out or done otherwise: {count:,} steps: {reason}" for reason, count in account.left_out.most_common()
    )
    yield from (f"  failed: {said.strip().splitlines()[-1]}" for _, said in account.failed[:SHOWN])


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{id} {count}" for id, count in sorted(counts.items()))


def _odd(account: Account) -> Iterator[str]:
    for finding in account.odd[:SHOWN]:
        if finding.kind == "different":
            yield "  a difference:"
        yield from (f"    {entry}" for entry in (*finding.differences[:4], *finding.answers[:4]))
        yield from (f"    {_broken(entry, finding)}" for entry in finding.broken)
    yield from (line for entry in account.unexplained[:SHOWN] for line in _unexplained(entry))


def _broken(entry: Result, finding: Finding) -> str:
    when = " (with a rest after each step)" if entry.invariant.id in finding.only_rested else ""
    return f"{entry.invariant.id}{when}: {entry.violations[0].message}"


def _unexplained(entry: Unexplained) -> Iterator[str]:
    yield f"  {entry.actor or 'somebody'} wrote what no rule would: {_event(entry.event)}"
    if entry.broken_off:
        yield f"      undecided: passes of the model ended in an error: {', '.join(entry.broken_off)}"
    yield from (f"      beside {_event(event)}" for event in entry.neighbours)


def _event(event: Event) -> str:
    metadata, status = event.object["metadata"], event.object.get("status") or {}
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    phase = f" {status['phase']}" if status.get("phase") else ""
    return f"{event.type} {event.object['kind']} {where}{metadata['name']}{phase}"


def page(found: Comparisons, day: str) -> str:
    """The page of results, in Markdown."""
    lines = [
        "# What the model and a real control plane were compared in",
        "",
        f"Made on {day} by `{found.command}`; not by hand.",
        "",
        *(["**Interrupted: not all that was asked for was compared.**", ""] if found.interrupted else []),
        f"* Against: {found.against}. Seed {found.seed}.",
        *(f"* {line}" for line in found.answers[:1]),
    ]
    for account in found.accounts:
        lines += ["", f"## {account.what.capitalize()}", "", "```", *_summary(account), *_odd(account), "```"]
    return "\n".join([*lines, *_rules(found)]) + "\n"


def _rules(found: Comparisons) -> Iterator[str]:
    fired, seen = (
        sum((getattr(entry, field) for entry in found.accounts), Counter[str]()) for field in ("fired", "seen")
    )
    quiet = silent(found.accounts)
    yield from ("", "## Rules", "", "How often each rule of the model fired there, and was seen on the cluster.", "")
    yield from ("| rule | in the model | on the cluster |", "| --- | ---: | ---: |")
    yield from (f"| {id} | {fired[id]:,} | {_sight(id, seen, quiet)} |" for id in sorted(fired.keys() | seen.keys()))


def _sight(id: str, seen: Mapping[str, int], quiet: frozenset[str]) -> str:
    """How often a rule was seen, or why it cannot be."""
    return "writes nothing" if id in quiet and not seen[id] else f"{seen[id]:,}"
