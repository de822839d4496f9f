"""Progress: what is said of a run under way, where, and how often."""

import io

import pytest

from pvkit.conformance.progress import Bar, Lines, Silence, Tick, on_terminal, progress


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("tick", "words"),
    [
        (Tick("plans", 100, 600, 10.0), "100 of 600 plans, 10 a second, about 50 s left"),
        (Tick("plans", 100, 600, 10.0, limit=40.0), "100 of 600 plans, 10 a second, about 30 s left"),
        (Tick("plans", 100, 600, 10.0, limit=8.0), "100 of 600 plans, 10 a second, about 0 s left"),
        (Tick("plans", 5, 10, 1.0, broken=2), "5 of 10 plans, 5 a second, about 1 s left, 2 broken"),
        (Tick("plans", 0, 600, 0.0), "0 of 600 plans"),
        (Tick("trying a broken model", 0, 0, 0.0), "trying a broken model"),
    ],
)
def test_a_tick_tells_counts_rate_and_time_left(tick: Tick, words: str) -> None:
    assert str(tick) == words


def test_a_log_gets_a_line_at_a_time_and_not_one_a_plan() -> None:
    seldom, often = io.StringIO(), io.StringIO()
    for stream, every in ((seldom, 3600.0), (often, 0.0)):
        with Lines(stream, every) as hear:
            for done in range(5):
                hear(Tick("plans", done, 5, 1.0))
    assert seldom.getvalue() == ""
    assert len(often.getvalue().splitlines()) == 5


def test_a_terminal_gets_a_bar_that_is_gone_in_the_end() -> None:
    stream = Terminal()
    with Bar(stream, color=False) as hear:
        hear(Tick("trying a broken model", 0, 0, 0.0))
        hear(Tick("plans", 3, 6, 1.0))
    assert "3 of 6 plans" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_who_asks_for_quiet_hears_nothing() -> None:
    stream = Terminal()
    with progress(quiet=True, stream=stream) as hear:
        hear(Tick("plans", 3, 6, 1.0))
    assert stream.getvalue() == ""


def test_a_bar_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress(stream=io.StringIO())) is Lines
    assert type(progress(stream=Terminal())) is Bar
    assert type(progress(quiet=True)) is Silence
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal(Terminal())
