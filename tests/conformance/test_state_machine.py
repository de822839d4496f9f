"""The state machine: what it does is judged, what breaks is told as a plan, and nothing is left open."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from pvkit.backends.errors import BackendError
from pvkit.backends.protocol import Backend, Event
from pvkit.backends.registry import open_backend
from pvkit.conformance import state_machine
from pvkit.conformance.catalogue import selected
from pvkit.conformance.execute import execute
from pvkit.conformance.judge import judge
from pvkit.conformance.state_machine import ClusterMachine
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan_file import read_plans
from tests.conformance.backends import Foreign, Shelf

FEW = settings(
    max_examples=10,
    stateful_step_count=12,
    phases=[Phase.generate],  # Shrinking is Hypothesis' own, and takes its time.
    suppress_health_check=list(HealthCheck),
    deadline=None,
    database=None,
)


class Model(ClusterMachine):
    """The reference model, judged by all promises."""


class Broken(ClusterMachine):
    """A model that never makes a volume Available, judged by that promise."""

    spec = "mutant:never-available"
    judged = ("PVB-056",)


def test_the_model_keeps_its_promises_in_the_hands_of_hypothesis() -> None:
    seen = set[str]()

    class Watched(Model):
        def teardown(self) -> None:
            seen.update(entry.object["kind"] for entry in self.history.entries if isinstance(entry, Event))
            super().teardown()

    run_state_machine_as_test(Watched, settings=FEW)
    assert {"PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet"} <= seen


def test_a_broken_promise_is_told_with_a_plan_that_can_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="PVB-056: ") as caught:
        run_state_machine_as_test(Broken, settings=settings(FEW, max_examples=100))
    path = tmp_path / "plan.yaml"
    path.write_text(str(caught.value).partition("the plan:\n")[2])
    (plan,) = read_plans(path)
    results = judge(execute(plan, open_backend(Broken.spec)), selected(Broken.judged))
    assert [result.verdict for result in results] == [Verdict.FAIL]


def test_rules_of_ones_own_stand_beside_the_others() -> None:
    called: list[int] = []

    class Own(ClusterMachine):
        judged = ("PVB-001",)

        @rule()
        def count(self) -> None:
            called.append(len(self.existing()))

    run_state_machine_as_test(Own, settings=FEW)
    assert called


def test_each_backend_is_closed_even_when_it_raises() -> None:
    opened: list[Shelf] = []

    class Raising(ClusterMachine):
        judged = ("PVB-001",)

        def opened(self) -> Backend:
            opened.append(Foreign())
            opened[-1].plans = 2
            return opened[-1]

    with pytest.raises(BackendError, match="the line is dead"):
        run_state_machine_as_test(Raising, settings=FEW)
    assert {shelf.closed for shelf in opened} == {1}


def test_the_example_in_the_docstring_works() -> None:
    source = textwrap.dedent(
        "\n".join(line for line in (state_machine.__doc__ or "").splitlines() if line[:4] == "    ")
    )
    names: dict[str, type] = {}
    exec(source.replace("package.module:Class", "reference"), names)
    assert issubclass(names["Shelf"], ClusterMachine)
    run_state_machine_as_test(names["Shelf"], settings=settings(FEW, max_examples=3))
