"""The books on paper: they foot, they say where each line comes from, and no cell of them runs anything."""

import csv
import io
import json
import re
from collections import defaultdict

import psycopg
import pytest

from apps.ledger import exports, reports
from polytraders import cli
from polytraders.contracts.ledger import CASH, MONEY, VENUE
from tests import servers
from tests.ledger.booked import LOGIT, SHARE, YES, book, capital, example, hold, move

Connection = psycopg.Connection

TABLE = """\
Trial balance of shard {shard} after input 9

pUSD
                                        debit               credit                 held
  cash (asset)                    9228.160000                                520.000000
  fees (expense)                     3.840000
  held (asset)
  outside (equity)                                    10000.000000
  venue (equity)                   768.000000
  sum                            10000.000000         10000.000000

111
                                        debit               credit                 held
  position:logit (asset)          1200.000000
  venue (equity)                                       1200.000000
  sum                             1200.000000          1200.000000"""


@pytest.fixture
def half(app: Connection, shard: int) -> int:
    """A shard whose books end in the middle of the worked example: something is held and something is owned."""
    book(app, example()[:7], shard)
    return shard


def test_worked_example(app: Connection, half: int) -> None:
    found = reports.trial_balance(app, half)
    assert reports.trial_balance_text(half, found) == TABLE.format(shard=half)
    assert found.totals() == {MONEY: (10_000 * SHARE, 10_000 * SHARE), YES: (1_200 * SHARE, 1_200 * SHARE)}
    assert found.foots


def test_books_that_do_not_foot_say_so() -> None:
    line = reports.Line(MONEY, CASH, "asset", 5, 0, 0, 0)
    broken = reports.TrialBalance(9, (line,), 0)
    assert not broken.foots
    assert "EXEC_LEDGER_UNBALANCED: debits and credits differ by 0.000005" in reports.trial_balance_text(0, broken)


def test_an_empty_ledger_says_so_in_words(app: Connection, shard: int) -> None:
    words = f"The ledger of shard {shard} is empty: no capital has come in and nothing has been traded."
    assert reports.trial_balance_text(shard, reports.trial_balance(app, shard)) == words
    assert list(reports.journal(app, shard)) == []


def test_accounts_that_are_empty_again_are_counted_not_listed(app: Connection, shard: int) -> None:
    book(app, example(), shard)
    text = reports.trial_balance_text(shard, reports.trial_balance(app, shard))
    assert "position:logit" not in text
    assert text.endswith("3 more accounts are empty.")


def test_the_journal_says_what_was_posted_and_what_caused_it(app: Connection, half: int) -> None:
    assert list(reports.journal(app, half)) == example()[:7]
    assert list(reports.journal(app, half, since=9)) == example()[2:7]
    assert reports.journal_line(example()[2]) == (
        "2023-11-14T22:14:10.849+00:00  9:0:void             void_pending of 7:0:hold        1300.000000 pUSD"
        "  cash -> held  7:0:0"
    )


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0.000000"), (1, "0.000001"), (-1, "-0.000001"), (10**18 + 5, "1000000000000.000005")]
)
def test_amounts_are_exact(amount: int, text: str) -> None:
    assert reports.decimal(amount) == text


def test_csv_has_every_movement_and_amounts_that_add_up(app: Connection, half: int) -> None:
    out = io.StringIO()
    assert exports.write_csv(app, half, 0, out) == 7
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["part"] for row in rows] == ["capital", "hold", "void", "money", "fee", "shares", "hold"]
    assert rows[4]["amount"] == "3.840000"
    assert (rows[2]["resolves"], rows[2]["correlation"]) == ("7:0:hold", "7:0:0")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_the_csv_is_a_formula(app: Connection, shard: int, start: str) -> None:
    asset = f"{start}HYPERLINK(1)"
    book(app, [move(1, "shares", VENUE, LOGIT, 5, asset=asset, correlation=f"{start}x")], shard)
    out = io.StringIO()
    exports.write_csv(app, shard, 0, out)
    row = next(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert (row["asset"], row["correlation"]) == (f"'{asset}", f"'{start}x")


def folded(text: str) -> dict[tuple[str, str], str]:
    """A beancount file added up the plain way; every transaction must balance in every commodity."""
    totals: dict[tuple[str, str], int] = defaultdict(int)
    event: dict[str, int] = defaultdict(int)
    for line in [*text.splitlines(), ""]:
        posting = re.fullmatch(r"  ([A-Z][A-Za-z0-9:-]+)  (-?\d+)\.(\d{6}) ([A-Z][A-Z0-9]{1,23})", line)
        if posting:
            account, whole, part, unit = posting.groups()
            amount = int(whole + part)
            totals[account, unit] += amount
            event[unit] += amount
        elif not line:
            assert not any(event.values()), event
            event.clear()
    return {key: reports.decimal(amount) for key, amount in totals.items()}


def asserted(text: str) -> dict[tuple[str, str], str]:
    found = re.findall(r"^\S+ balance (\S+) (-?[\d.]+) (\S+)$", text, re.MULTILINE)
    return {(account, unit): amount for account, amount, unit in found}


def test_beancount_transactions_add_up_to_the_balances_it_asserts(app: Connection, shard: int) -> None:
    book(app, example(), shard)
    out = io.StringIO()
    assert exports.write_beancount(app, shard, 0, out) == 3
    text = out.getvalue()
    totals = folded(text)
    assert totals["Assets:Cash", "PUSD"] == "10428.160000"
    assert {key: amount for key, amount in asserted(text).items() if amount != "0.000000"} == {
        key: amount for key, amount in totals.items() if amount != "0.000000"
    }
    opened = set(re.findall(r"open (\S+)", text))
    assert {account for account, _ in totals} <= opened
    assert '  asset: "111"' in text


def test_beancount_from_an_input_on_brings_in_what_was_there(app: Connection, shard: int) -> None:
    book(app, example(), shard)
    out = io.StringIO()
    assert exports.write_beancount(app, shard, 20, out) == 1
    assert folded(out.getvalue())["Assets:Cash", "PUSD"] == "10428.160000"
    assert "what was there before input 20" in out.getvalue()


def test_two_accounts_never_share_a_name() -> None:
    strategies = [
        "logit",
        "gbm_updown",
        "gbm-updown",
        "Logit",
        "LOGIT",
        "s_1",
        "1",
        "_",
        "-",
        "é",
        "a" * 50,
        "a" * 51,
        "x y",
    ]
    names = [exports.name(f"position:{strategy}") for strategy in strategies]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"Assets:Position(:[A-Z0-9][A-Za-z0-9-]*)+", name), name
    assert exports.name("position:gbm_updown") == "Assets:Position:Gbm-updown"


def test_text_in_beancount_stays_inside_its_quotes() -> None:
    assert exports.quoted('a"\n2020-01-01 close Assets:Cash\\') == '"a\\" 2020-01-01 close Assets:Cash\\\\"'


@pytest.fixture
def command(shared: servers.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polytraders.settings.DATABASE_URL", shared.app_dsn)


@pytest.mark.usefixtures("command")
def test_the_command_prints_the_trial_balance(half: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ledger", "trial-balance", "--shard", str(half)]) == 0
    assert capsys.readouterr().out == f"{TABLE.format(shard=half)}\n"
    assert cli.main(["ledger", "trial-balance", "--json", "--shard", str(half)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["foots"] is True
    assert found["totals"][MONEY] == {"debit": 10_000 * SHARE, "credit": 10_000 * SHARE}
    assert found["lines"][0]["outgoing"] == 520 * SHARE


@pytest.mark.usefixtures("command")
def test_the_command_prints_the_journal(half: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ledger", "journal", "--since", "9", "--shard", str(half)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == reports.journal_line(example()[2])
    assert cli.main(["ledger", "journal", "--json", "--shard", str(half)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["amount"] for line in lines] == [made.amount for made in example()[:7]]


@pytest.mark.usefixtures("command")
def test_the_command_exports_both_formats(half: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ledger", "export", "--shard", str(half)]) == 0
    assert capsys.readouterr().out.startswith(
        "in_seq,ordinal,part,phase,time,from,to,asset,amount,correlation,resolves"
    )
    assert cli.main(["ledger", "export", "--format", "beancount", "--shard", str(half)]) == 0
    assert asserted(capsys.readouterr().out)["Assets:Cash", "PUSD"] == "9228.160000"


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("report", [["journal"], ["export"], ["export", "--format", "beancount"]])
def test_nothing_to_show_is_said_beside_the_output(
    report: list[str], shard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ledger", *report, "--shard", str(shard)]) == 0
    assert f"The ledger of shard {shard} is empty" in capsys.readouterr().err
    assert cli.main(["ledger", *report, "--shard", str(shard), "--since", "7"]) == 0
    assert f"Nothing has been booked for shard {shard} from input 7 on." in capsys.readouterr().err


def test_without_a_database_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("polytraders.settings.DATABASE_URL", None)
    assert cli.main(["ledger", "journal"]) == 2
    assert "GOV_CONFIG_INVALID: no database" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("polytraders.settings.DATABASE_URL", "postgresql://u:canary-password@127.0.0.1:1/x")
    assert cli.main(["ledger", "journal"]) == 2
    said = capsys.readouterr().err
    assert "the ledger cannot be read" in said
    assert "canary" not in said


def test_a_long_journal_is_read_in_pieces(app: Connection, shard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.ledger.reports.ROWS_AT_ONCE", 2)
    made = [capital(1, 10 * SHARE), *(hold(seq, 5) for seq in range(2, 12))]
    book(app, made, shard)
    assert list(reports.journal(app, shard)) == made
