"""Comparing the model with a cluster: here with itself, with a broken one, and with one that gives up."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis.strategies import just

from pvkit.backends.errors import BackendError, UsageError
from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.protocol import Budget, Departure, Event, Operation, Settled, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance import fidelity_run
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.cli import pvkit
from pvkit.conformance.explained import Unexplained
from pvkit.conformance.fidelity_run import Account, Comparison, strategy_for, unseen
from pvkit.conformance.reporters.fidelity import Comparisons, page, render
from pvkit.conformance.run_report import INTERRUPTED
from pvkit.strategies.plan import Plan
from pvkit.strategies.plan_file import read_plans


def compared(backend: object, count: int = 4) -> Account:
    account = Account("plans without faults")
    Comparison(account, all_invariants(), "1.36").play([backend], strategy_for(False), count, 1, 1)
    return account


def of(*accounts: Account) -> Comparisons:
    return Comparisons("a cluster", "1.36", 1, "pvkit fidelity --plans 8", accounts)


def test_the_model_is_as_the_model() -> None:
    account = compared(ReferenceModel())
    assert account.kinds == {"same": 4}
    assert account.is_clean
    assert "everything is explained" in render(of(account))


def test_what_a_broken_one_does_otherwise_is_a_difference_and_a_broken_promise() -> None:
    account = compared(MutantModel(named("never-released")), 25)
    assert account.kinds["different"]
    assert account.broken["PVB-095"]
    told = render(of(account))
    assert "model 'Released', live 'Bound'" in told
    assert told.endswith("something differs\n")


RELEASED = """
apiVersion: pvkit/v1
kind: Plan
metadata: {name: released}
steps:
- create:
    kind: PersistentVolume
    metadata: {name: v}
    spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], nfs: {server: 192.0.2.1, path: /x}}
- create:
    kind: PersistentVolumeClaim
    metadata: {name: c}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: ""}
- settle: {}
- delete: {kind: PersistentVolumeClaim, name: c}
- settle: {}
"""


class WorseThen(MutantModel):
    """Right at the first play, and broken at the second."""

    def __init__(self) -> None:
        self._plays = iter((replace(named("never-released"), make=tuple), named("never-released")))
        super().__init__(named("never-released"))

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        self.mutant = next(self._plays)
        super().reset(setup, schedule)


def test_the_second_play_of_a_plan_is_judged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plan.yaml").write_text(RELEASED)
    (plan,) = read_plans(tmp_path / "plan.yaml")
    odd = iter([[Unexplained(0, "", Event(0, "ADDED", {"kind": "Pod", "metadata": {"name": "p"}}), ())], []])
    monkeypatch.setattr(fidelity_run, "explain", lambda _: (Counter(), next(odd), Counter(), Counter()))
    account = Account("plans without faults")
    Comparison(account, all_invariants(), "1.36").play([WorseThen()], just(plan), 1, 1, 1)
    assert account.kinds == {"same": 1}
    assert account.broken["PVB-095"] == 1
    assert account.odd[0].only_rested == set(account.broken)
    assert "PVB-095 (with a rest after each step): " in render(of(account))


class Tired(ReferenceModel):
    """A backend that gives up at every other plan."""

    rests = 0

    def settle(self, budget: Budget) -> Settled:
        Tired.rests += 1
        if Tired.rests % 5 == 0:
            raise BackendError("the connection was lost")
        return super().settle(budget)


def test_a_plan_that_fails_is_told_and_the_others_go_on() -> None:
    account = compared(Tired(), 12)
    assert account.plans + len(account.failed) == 12
    assert account.plans
    assert account.failed
    assert {said for _, said in account.failed} == {"the connection was lost"}
    assert all(isinstance(plan, Plan) for plan, _ in account.failed)
    assert "failed: the connection was lost" in render(of(account))


def test_rules_that_fired_and_were_not_seen_are_named() -> None:
    first, second = Account("a"), Account("b")
    first.fired.update({"BIND-01": 2, "BIND-02": 1})
    second.fired.update({"BIND-01": 3})
    second.seen.update({"BIND-02": 1})
    assert unseen([first, second]) == {"BIND-01": 5}


def test_the_page_counts_what_was_left_out_and_what_was_done_otherwise() -> None:
    account = Account("plans with faults")
    Comparison(account, all_invariants(), "1.36").play([ReferenceModel()], strategy_for(True), 12, 2, 1)
    told = page(of(account), "2026-01-02")
    (shown,) = (reason for reason in account.left_out if reason.startswith("create with short waits"))
    assert f"  left out or done otherwise: {account.left_out[shown]:,} steps: {shown}" in told


def test_the_page_says_how_it_was_made_and_counts_every_rule() -> None:
    account = compared(ReferenceModel())
    told = page(of(account), "2026-01-02")
    assert "Made on 2026-01-02 by `pvkit fidelity --plans 8`" in told
    assert all(f"| {id} | {count:,} |" in told for id, count in account.fired.items())


def test_a_page_of_what_was_interrupted_says_so_itself() -> None:
    whole = of(compared(ReferenceModel(), 1))
    told = "**Interrupted: not all that was asked for was compared.**"
    assert [told in page(entry, "2026-01-02") for entry in (whole, replace(whole, interrupted=True))] == [False, True]


@pytest.mark.parametrize(("more", "version"), [((), "of no known version"), (("1.35",), "Kubernetes 1.35")])
def test_who_interrupts_before_the_server_is_there_is_told_what_was_meant(
    more: tuple[str, ...], version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pvkit.conformance.commands.cluster.programs_for", interrupted)
    asked = ["fidelity", "--plans", "0", "--faulty", "0", "-o", str(tmp_path), "--results", str(tmp_path / "page.md")]
    wanted = ["--kubernetes-version", *more] if more else []
    done = CliRunner().invoke(pvkit, [*asked, *wanted], standalone_mode=False)
    assert done.return_value == INTERRUPTED
    assert f"model against a control plane of the kit's own, {version}, seed 0" in done.output
    assert "INTERRUPTED" in done.output
    written = (tmp_path / "page.md").read_text()
    assert f"* Against: a control plane of the kit's own, {version}. Seed 0." in written
    assert "**Interrupted" in written


def test_plans_with_faults_hold_what_a_cluster_can_make() -> None:
    account = Account("plans with faults")
    Comparison(account, all_invariants(), "1.36").play([ReferenceModel()], strategy_for(True), 12, 2, 1)
    assert account.kinds == {"same": 12}
    assert not account.failed


def test_a_cluster_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    asked = ["fidelity", "--no-answers", "--kubeconfig", str(tmp_path / "none"), "-o", str(tmp_path / "report")]
    done = CliRunner().invoke(pvkit, asked, standalone_mode=False)
    assert done.exit_code != 0
    assert f"no usable kubeconfig {tmp_path}/none" in str(done.exception)


def test_nothing_to_compare_is_a_usage_error() -> None:
    asked = ["fidelity", "--no-answers", "--plans", "0", "--faulty", "0"]
    with pytest.raises(UsageError, match="give --plans"):
        CliRunner().invoke(pvkit, asked, standalone_mode=False, catch_exceptions=False)


@pytest.mark.live
def test_a_few_plans_are_told_the_same_by_a_real_control_plane(tmp_path: Path) -> None:
    asked = ["fidelity", "--no-answers", "--plans", "4", "--faulty", "0", "--quiet", "-o", str(tmp_path), "--results"]
    done = CliRunner().invoke(pvkit, [*asked, str(tmp_path / "page.md")], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert "4 plans without faults" in done.output
    assert "## Rules" in (tmp_path / "page.md").read_text()
    assert [read_plans(path) for path in tmp_path.glob("fidelity/*.yaml")] == []


def test_operations_of_the_drawn_plans_are_played_in_full() -> None:
    seen: list[str] = []

    class Listening(ReferenceModel):
        def invoke(self, operation: Operation) -> object:  # type: ignore[override]
            seen.append(operation.verb)
            return super().invoke(operation)

    compared(Listening(), 3)
    assert "create" in seen
