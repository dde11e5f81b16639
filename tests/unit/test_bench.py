"""Does the bench read, reckon and show its figures rightly, and refuse to measure wrong answers?"""

import pytest
from rich.console import Console

from tests.bench import load, report, results
from tests.bench.__main__ import summary
from tests.bench.core import CoreResult
from tests.bench.load import CASES, Round, measured
from tests.bench.memory import MemoryResult
from tests.bench.peers import BenchError

WRK = """Running 3s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Latency Distribution
     50%    0.95ms
     75%    1.20ms
     90%    1.50ms
     99%   12.34ms
  90000 requests in 3.00s, 110.00MB read
{more}Requests/sec:  30000.00
Transfer/sec:     36.00MB
"""


def test_wrk_report_is_read() -> None:
    seen = measured(CASES["keepalive"], "nginx", WRK.format(more=""), spent=0.9)
    assert seen.cpu == pytest.approx(10.0)
    assert (seen.rate, seen.p50, seen.p99) == (30000.0, 0.95, 12.34)


@pytest.mark.parametrize(
    ("case", "more", "complaint"),
    [
        ("keepalive", "  Non-2xx or 3xx responses: 7\n", "7 of 90000 answers of nginx were not 2xx"),
        ("refusal", "  Non-2xx or 3xx responses: 89999\n", "89999 of 90000"),
        ("refusal", "", "0 of 90000"),
        (
            "close",
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
            "broke connections: connect 0, read 3",
        ),
    ],
)
def test_wrong_answers_are_no_figure(case: str, more: str, complaint: str) -> None:
    with pytest.raises(BenchError, match=complaint):
        measured(CASES[case], "nginx", WRK.format(more=more), spent=1.0)


def test_refusals_must_all_be_refused() -> None:
    seen = measured(CASES["refusal"], "nginx", WRK.format(more="  Non-2xx or 3xx responses: 90000\n"), 0.9)
    assert seen.cpu == pytest.approx(10.0)


def test_no_answer_at_all_is_told_with_what_wrk_says() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        measured(CASES["tls"], "haproxy", "unable to connect to 127.0.0.1:1 Connection refused", 0.0)


@pytest.mark.parametrize(("shown", "value"), [("850.00us", 0.85), ("1.50s ", 1500.0), ("2.00m", 120_000.0)])
def test_latency_is_in_milliseconds(shown: str, value: float) -> None:
    assert load.milliseconds("50%", f"     50%  {shown}\n") == pytest.approx(value)


def test_ratios_are_taken_round_by_round() -> None:
    ours = [Round(cpu, 1, 1, 1) for cpu in (10.0, 20.0, 12.0)]
    theirs = [Round(cpu, 1, 1, 1) for cpu in (10.0, 10.0, 20.0)]
    assert summary(theirs, ours, 1).ratio == 1.0  # of 1.0, 2.0, 0.6; the quotient of the medians is 1.2
    assert summary(theirs, [], 1).ratio is None


def run() -> results.Results:
    peer = results.PeerResult(12.0, 11.0, 13.0, 50_000, 1.0, 2.0, 20_480, 0.9)
    case = results.CaseResult(3, 3, {"stopgap": peer, "nginx": peer})
    return results.Results(
        machine="a machine",
        when="a day",
        revision="abc",
        cases={"keepalive": case, "japanese": case},
        memory=MemoryResult({"stopgap": 2.5}, 30_000, 38_000, {1000: 30_100}),
        core=CoreResult({"plain": {10: 1_000_000, 10_000: 900_000}}, 460, {"hostile form": 2000.0}),
    )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_shows_every_figure_with_its_goal(language: str) -> None:
    page = report.page(run(), language)
    word = report.words(language)
    for figure in ("12.0 (11.0–13.0)", f"0.90 ({word('goal')} ≤ 1.00)", "1\u00a0000\u00a0000", "30\u00a0100"):
        assert figure in page
    assert "| 1.11 | ≤ 2.00 |" in page


def test_terminal_shows_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    seen = run()
    report.show_case(Console(width=140), "keepalive", seen.cases["keepalive"])
    report.show_alone(Console(width=140), seen)
    shown = capsys.readouterr().out
    assert "0.900" in shown
    assert "30\u00a0100" in shown


def test_every_case_and_peer_has_a_name() -> None:
    assert set(CASES) <= set(report.WORDS)
    assert {case for case, _ in results.GOALS} <= set(CASES)
    assert {peer for _, peer in results.GOALS} <= set(report.NAMES)
