"""The self-test: what trials come to, and that interrupting them leaves no process behind."""

import multiprocessing
from typing import Any

import pytest
from click.testing import CliRunner

from pvkit.backends.errors import BackendError
from pvkit.conformance import selftest
from pvkit.conformance.cli import pvkit
from pvkit.conformance.hunt import Catch
from pvkit.conformance.selftest import Pair, Standing, Stopped
from pvkit.strategies.plan import Plan, Settle

PAIR = Pair("never-available", "PVB-056")


def test_a_pair_is_solved_when_every_trial_caught_it() -> None:
    caught, missed = Catch(0.05, 3, Plan((Settle(),))), Catch(10.0, 900)
    assert Standing(PAIR, [caught, caught]).solved
    assert not Standing(PAIR, [caught, missed]).solved
    assert not Standing(PAIR).solved
    assert selftest.within([Standing(PAIR, [caught])]) == {0.1: 1, 1.0: 1, 10.0: 1, 60.0: 1}


def test_trials_on_a_process_of_their_own_catch_a_plain_mutant() -> None:
    heard: list[Pair] = []
    (standing,) = selftest.trials([PAIR], 1, seconds=60.0, workers=1, done=lambda pair, catch: heard.append(pair))
    assert standing.solved
    assert heard == [PAIR]


def test_interrupted_trials_tell_what_they_came_to_and_leave_no_process() -> None:
    def enough(pair: Pair, catch: Catch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        selftest.trials([PAIR], 50, seconds=60.0, workers=1, done=enough)
    assert [len(standing.catches) for standing in stopped.value.standings] == [1]
    assert multiprocessing.active_children() == []


def test_a_mutant_that_cannot_play_a_plan_is_told_as_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*asked: Any, **more: Any) -> Catch:
        raise BackendError("the backend MutantModel raised TypeError")

    monkeypatch.setattr(selftest, "hunt", raising)
    caught = selftest.try_pair(PAIR, 1, 2.0)
    assert not caught.found
    assert "TypeError" in caught.message


def test_trials_whose_workers_were_ended_tell_what_they_came_to() -> None:
    def end_all(pair: Pair, catch: Catch) -> None:
        for worker in multiprocessing.active_children():
            worker.terminate()
            worker.join()

    with pytest.raises(Stopped) as stopped:
        selftest.trials([PAIR], 50, seconds=60.0, workers=1, done=end_all)
    assert [len(standing.catches) for standing in stopped.value.standings] == [1]


def test_the_command_prints_what_was_done_until_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(*asked: Any) -> list[Standing]:
        raise Stopped([Standing(PAIR, [Catch(0.05, 3, Plan((Settle(),)))]), Standing(Pair("other", "PVB-001"))])

    monkeypatch.setattr(selftest, "trials", stopping)
    shown = CliRunner().invoke(pvkit, ["selftest", "--quiet"], standalone_mode=False)
    assert shown.return_value == 130
    assert "pairs solved: 1 of 1" in shown.output
    assert shown.output.splitlines()[-1].startswith("INTERRUPTED")
