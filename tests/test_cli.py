"""The `polytraders` command, as a person uses it."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from apps.replay.runner import read_outputs
from polytraders import config
from polytraders.cli import main
from polytraders.contracts import state as s
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.reasons import reason
from polytraders.replaying import outputs_folder
from polytraders.venues.simulator import capture

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 3_000
SEED = 7


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report."""
        return json.loads(self.out)


def polytraders(*arguments: object) -> Said:
    """Run the command."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


class Session(NamedTuple):
    """A generated capture, and the report of its first replay."""

    folder: Path
    source: Path
    arguments: tuple[object, ...]
    first: Said


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """3,000 frames, their registry, two strategies; what is kept is kept in a folder of its own."""
    folder = tmp_path_factory.mktemp("cli")
    source, registry = folder / "capture.jsonl.zst", folder / "registry.toml"
    capture.write(source, seed=SEED, count=FRAMES)
    registry.write_text(capture.registry_toml(seed=SEED), encoding="utf-8")
    arguments = ("replay", source, "--registry", registry, "--strategy", "logit", "--strategy", "microprice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYTRADERS_CACHE", str(folder / "cache"))
        first = polytraders(*arguments, "--json")
        (folder / "first.json").write_text(first.out, encoding="utf-8")
        yield Session(folder, source, arguments, first)
    assert not list((folder / "cache" / "replays").glob("running-*"))


def kept(report: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """OUT and DETAIL rows that a replay has put aside."""
    return read_outputs(outputs_folder(report["chain_head"]))


def test_worked_example(session: Session) -> None:
    """A capture and its registry in; decisions with reasons, fills and heads of the chains out."""
    code, _, err = session.first
    report = session.first.report
    assert (code, err if "compiling" not in err else "") == (0, "")
    assert (report["frames"], report["frames_rejected"], report["markets"]) == (FRAMES, 0, 6)
    assert report["evaluations"] == sum(report["counts_by_code"].values()) > FRAMES
    assert report["approved"] == report["counts_by_code"]["STRAT_EDGE_DETECTED"] > 0
    assert report["fills"] > 0
    assert all(reason(code) for code in report["counts_by_code"])
    assert (report["best_mismatch"], report["snapshot_differences"]) == (0, 0)
    assert {len(report[name]) for name in ("chain_head", "input_head", "output_head", "build")} == {64}
    assert report["strategies"] == ["logit", "microprice"]
    assert (report["clock"], report["verdict_code"]) == ("synthetic", None)
    assert "taker_delay_ms" in next(iter(report["assumed"].values()))


def test_the_report_is_also_a_page_to_read(session: Session) -> None:
    said = polytraders(*session.arguments)
    report = session.first.report
    assert said.code == 0
    for part in ("PAPER REPLAY", "DECISIONS", "BOOK", "PAPER TRADING", f"PROOF  chain {report['chain_head']}"):
        assert part in said.out
    for code, count in report["counts_by_code"].items():
        assert re.search(rf"{code} +{count:,} ", said.out), code


def test_without_a_registry_nothing_is_traded_and_the_reason_is_told(session: Session) -> None:
    said = polytraders("replay", session.source, "--json", "--frames", 500)
    assert (said.code, said.report["frames"]) == (0, 500)
    assert set(said.report["counts_by_code"]) == {"GOV_INSTRUMENT_UNKNOWN"}
    assert said.report["approved"] == 0
    assert "no registry: nothing can be traded" in polytraders("replay", session.source, "--frames", 100).out


# --- explain ---------------------------------------------------------------------------------------------------------


def test_an_approval_is_explained_with_the_numbers_that_were_recorded(session: Session) -> None:
    outs, details = kept(session.first.report)
    approval = outs[outs["kind"] == s.APPROVAL][0]
    detail = details[approval["detail"]]
    said = polytraders(*session.arguments, "--explain", approval["in_seq"])
    assert said.code == 0
    told = said.out.partition("APPROVED  BUY 20.00")[2]
    assert "STRAT_EDGE_DETECTED" in told
    assert f"= net_edge {int(detail['net_edge']) / 1e9:+.6f} " in re.sub(" +", " ", told)
    assert all(f"  {check.name}" in told for check in CHECKS)
    assert "39 checks, 0 reject" in told
    assert f"input {int(approval['in_seq']):,}, output" in told


def test_a_decision_that_was_only_counted_is_explained_too(session: Session) -> None:
    outs, _ = kept(session.first.report)
    told = set(outs["in_seq"].tolist())
    quiet = next(n for n in range(3_500, 4_000) if n not in told and "LEVEL" in polytraders_line(session, n))
    said = polytraders(*session.arguments, "--explain", quiet)
    assert said.code == 0
    assert "REJECTED" in said.out
    assert "> " in said.out


def polytraders_line(session: Session, in_seq: int) -> str:
    """What is said first about an input."""
    return polytraders(*session.arguments, "--explain", in_seq).out.partition("\n")[0]


@pytest.mark.parametrize(
    ("in_seq", "words"),
    [
        (3, "No decision was made at this input."),
        (10_000_000, "the source ends at input"),
        (0, "input numbers begin with 1"),
    ],
)
def test_where_no_decision_was_made_it_says_so(session: Session, in_seq: int, words: str) -> None:
    said = polytraders(*session.arguments, "--explain", in_seq)
    assert (said.code, words in said.out) == (2, True)


# --- against ---------------------------------------------------------------------------------------------------------


def test_the_same_replay_matches(session: Session) -> None:
    said = polytraders(*session.arguments, "--json", "--against", session.folder / "first.json", "--block", 100)
    assert said.code == 0
    assert (said.report["verdict_code"], said.report["first_difference"]) == ("GOV_REPLAY_MATCH", None)
    assert {k: v for k, v in said.report.items() if k not in ("events_per_second", "verdict_code")} == {
        k: v for k, v in session.first.report.items() if k not in ("events_per_second", "verdict_code")
    }


def tightened(folder: Path, name: str, was: str, now: str) -> Path:
    """The shipped limits with another value in one table."""
    path = folder / f"{name}.toml"
    before, table, after = config.LIMITS_FILE.read_text(encoding="utf-8").partition(f"[{name}]")
    assert f"value = {was}\n" in after
    path.write_text(before + table + after.replace(f"value = {was}\n", f"value = {now}\n", 1), encoding="utf-8")
    return path


def unlike(one: dict[str, Any], other: dict[str, Any]) -> tuple[int, int]:
    """(in_seq, ordinal) of the first output row that differs between two runs, by plain comparison."""
    (ours, our_details), (theirs, their_details) = kept(one), kept(other)
    for a, b in zip(ours, theirs, strict=False):
        same = all(a[name] == b[name] for name in s.OUT.names or () if name != "detail")
        if not same or (
            a["detail"] >= 0 and our_details[a["detail"]].tobytes() != their_details[b["detail"]].tobytes()
        ):
            return int(a["in_seq"]), int(a["ordinal"])
    raise AssertionError("the runs do not differ")


@pytest.mark.parametrize(
    ("limit", "was", "now", "field"),
    [
        ("spread_max", "600", "50", "first"),  # the verdict changes
        ("spread_max", "600", "599", "limits.market_quality"),  # only what the check compared with
        ("order_latency_ms", "60", "2_000", ""),  # only what becomes of an order
    ],
)
def test_a_tightened_limit_is_found_at_its_first_packet_and_field(
    session: Session, limit: str, was: str, now: str, field: str
) -> None:
    limits = tightened(session.folder, limit, was, now)
    said = polytraders(*session.arguments, "--json", "--limits", limits, "--against", session.folder / "first.json")
    assert said.code == 1
    assert said.report["verdict_code"] == "GOV_REPLAY_REGRESSION"
    found = re.fullmatch(
        r"input (\d+), output (\d+): (\S+) was (\S+) and is (\S+) \(inputs differ too\)",
        said.report["first_difference"],
    )
    assert found is not None
    assert (int(found[1]), int(found[2])) == unlike(session.first.report, said.report)
    assert field in ("", found[3])
    if field.startswith("limits."):
        assert (found[4], found[5]) == (was, now)


def test_without_the_recorded_outputs_only_the_heads_are_compared(session: Session) -> None:
    recorded = session.first.report | {"chain_head": "0" * 64, "output_head": "1" * 64}
    path = session.folder / "gone.json"
    path.write_text(json.dumps(recorded), encoding="utf-8")
    said = polytraders(*session.arguments, "--against", path)
    assert said.code == 1
    assert "GOV_REPLAY_REGRESSION: the outputs of the recorded run are no longer kept" in said.out


# --- what cannot be used ---------------------------------------------------------------------------------------------


BAD: list[tuple[str, dict[str, str], str]] = [
    ("no capture", {"source": "nowhere.jsonl"}, "no such capture"),
    ("no registry", {"--registry": "nowhere.toml"}, "nowhere.toml: cannot be read"),
    ("no strategy", {"--strategy": "nowhere.toml"}, "nowhere.toml: cannot be read"),
    ("a name that is not shipped", {"--strategy": "oracle"}, "oracle.toml: cannot be read"),
    ("no limits", {"--limits": "nowhere.toml"}, "nowhere.toml: cannot be read"),
    ("a registry that is none", {"--registry": "first.json"}, "first.json"),
    ("a registry with a mistake", {"--registry": "late.toml"}, "close_time"),
    ("no report", {"--against": "nowhere.json"}, "nowhere.json"),
    ("a report that is no JSON", {"--against": "registry.toml"}, "registry.toml: not a replay report"),
    ("a report without heads", {"--against": "empty.json"}, "not a replay report"),
    ("a report that is a list", {"--against": "list.json"}, "not a replay report"),
]


@pytest.mark.parametrize(("given", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_used_is_refused_with_its_code(session: Session, given: dict[str, str], words: str) -> None:
    for name, text in (("empty.json", "{}"), ("list.json", "[]")):
        (session.folder / name).write_text(text, encoding="utf-8")
    late = capture.registry_toml(seed=SEED, close_time="9999-12-31T00:00:00Z")
    (session.folder / "late.toml").write_text(late, encoding="utf-8")
    arguments: list[object] = ["replay", session.folder / given.get("source", session.source.name), "--frames", 50]
    for option, name in given.items():
        if option.startswith("--"):
            arguments += [option, name if name == "oracle" else session.folder / name]
    said = polytraders(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("polytraders: GOV_CONFIG_INVALID: ")
    assert words in said.err


def test_a_strategy_above_paper_is_refused_with_its_own_code(session: Session) -> None:
    text = (config.STRATEGIES / "logit.toml").read_text(encoding="utf-8").replace('stage = "paper"', 'stage = "live"')
    (session.folder / "live.toml").write_text(text, encoding="utf-8")
    said = polytraders("replay", session.source, "--strategy", session.folder / "live.toml")
    assert said.code == 2
    assert said.err.startswith("polytraders: GOV_ROLLOUT_EVIDENCE_MISSING: live.toml")


def test_a_capture_that_ends_early_is_replayed_as_far_as_it_goes(session: Session) -> None:
    path = session.folder / "short.jsonl.gz"
    frames = b"".join(frame + b"\n" for frame in capture.frames(seed=SEED, count=400))
    path.write_bytes(gzip.compress(frames)[:-20])
    said = polytraders("replay", path, "--json")
    assert said.code == 0
    assert "the capture ends early" in said.err
    assert said.report["door"]["source_broken"] == 1
    assert 300 < said.report["frames"] <= 400


# --- the rest --------------------------------------------------------------------------------------------------------


def test_the_demo_makes_a_capture_and_replays_it(session: Session) -> None:
    said = polytraders("demo", "--frames", 4_000, "--folder", session.folder / "demo")
    assert said.code == 0
    assert "PAPER REPLAY of capture.jsonl.zst" in said.out
    explained = polytraders(*said.out.splitlines()[-1].split()[1:])
    assert explained.code == 0
    assert "APPROVED" in explained.out and "EDGE of" in explained.out


def test_a_demo_without_an_approval_points_at_none(session: Session) -> None:
    said = polytraders("demo", "--frames", 300, "--folder", session.folder / "short")
    assert said.code == 0
    assert "--explain" not in said.out


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["demo", "--help"]])
def test_help_is_there_at_once(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from polytraders.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'numba', 'numpy', 'django'} & set(sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("usage: polytraders")


def test_a_wrong_argument_is_told_on_the_error_stream() -> None:
    with pytest.raises(SystemExit, match="2"):
        polytraders("replay")


def test_a_reader_that_goes_away_is_no_failure(session: Session) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "polytraders.cli", "replay", str(session.source), "--frames", "5", "--json"]
    said = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert (said.returncode, said.stderr) == (0, b"")
