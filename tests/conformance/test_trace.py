"""Traces: what is written is read back, the same bytes come again, and damage is told with its line."""

import tracemalloc
from collections import deque
from pathlib import Path

import pytest

from pvkit.backends.errors import TraceError
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.commands.replay import located
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.trace import TraceFile, lines, read_trace, read_traces, write_trace
from pvkit.strategies.plan_file import read_plans


@pytest.fixture(scope="module")
def history() -> History:
    """The walk-through on the model."""
    return execute(read_plans(located("walkthrough"))[0], ReferenceModel(), seed="7")


@pytest.fixture
def trace(history: History, tmp_path: Path) -> Path:
    path = tmp_path / "trace.jsonl"
    with path.open("w", encoding="utf-8") as file:
        write_trace(history, file)
    return path


def test_a_trace_is_read_back_as_the_history_it_was(history: History, trace: Path) -> None:
    header, entries = read_trace(trace)
    assert header == history.header
    assert list(entries) == history.entries


def test_the_same_plan_gives_the_same_bytes(history: History) -> None:
    again = execute(read_plans(located("walkthrough"))[0], ReferenceModel(), seed="7")
    assert list(lines(history)) == list(lines(again))


def damaged(trace: Path, change: object) -> str:
    text = trace.read_text(encoding="utf-8")
    trace.write_text(change(text), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(TraceError) as caught:
        list(read_trace(trace)[1])
    return str(caught.value)


def test_a_trace_that_was_cut_between_lines_is_known_as_such(trace: Path) -> None:
    message = damaged(trace, lambda text: "".join(text.splitlines(keepends=True)[:20]))
    assert message == f"{trace}:20: the end of the file; expected the end mark: the trace was cut off"


def test_a_trace_that_was_cut_within_a_line_names_the_line(trace: Path) -> None:
    message = damaged(trace, lambda text: text[: len(text) // 2])
    assert "a line that breaks off; expected one JSON object a line" in message


def test_a_missing_entry_is_noticed_by_the_end_mark(trace: Path) -> None:
    message = damaged(
        trace, lambda text: "".join(text.splitlines(keepends=True)[:10] + text.splitlines(keepends=True)[11:])
    )
    assert "as the end mark says" in message


def test_another_version_is_refused_in_the_first_line(trace: Path) -> None:
    message = damaged(trace, lambda text: text.replace("pvkit-trace/v1", "pvkit-trace/v9", 1))
    assert message.startswith(f"{trace}:1: trace version 'pvkit-trace/v9'; expected 'pvkit-trace/v1'")


def test_an_entry_of_no_known_kind_is_refused(trace: Path) -> None:
    message = damaged(trace, lambda text: text.replace('"event":"ADDED"', '"event":"MOVED"', 1))
    assert "an entry that cannot be understood" in message


def test_many_traces_in_one_file_are_read_one_after_the_other(history: History, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    with TraceFile(path) as file:
        for _ in range(3):
            file.write(history)
    read = [(header, list(entries)) for header, entries in read_traces(path)]
    assert read == [(history.header, history.entries)] * 3


def test_entries_that_nobody_asked_for_are_passed_over(history: History, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    with TraceFile(path) as file:
        file.write(history)
        file.write(history)
    assert [next(entries) for _, entries in read_traces(path)] == [history.entries[0]] * 2


def test_a_trace_that_was_cut_before_another_is_known_as_such(history: History, tmp_path: Path) -> None:
    text = list(lines(history))
    path = tmp_path / "all.jsonl"
    path.write_text("\n".join([*text[:5], *text]) + "\n", encoding="utf-8")
    with pytest.raises(TraceError) as caught:
        deque((list(entries) for _, entries in read_traces(path)), maxlen=0)
    assert str(caught.value) == f"{path}:6: another trace; expected the end mark: the trace before was cut off"


def test_an_empty_file_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(TraceError, match="an empty file; expected a trace"):
        read_trace(tmp_path / "none.jsonl")


def test_a_trace_is_never_in_memory_as_a_whole(history: History, tmp_path: Path) -> None:
    """What reading keeps does not grow with the number of entries, nor with the number of traces."""

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        with TraceFile(path) as file:
            for _ in range(count):
                file.write(history)
        tracemalloc.start()
        for _, entries in read_traces(path):
            deque(entries, maxlen=0)
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    peak(1)
    assert peak(8) < 1.5 * peak(2)
