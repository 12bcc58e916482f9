"""The ledger in the database: what it books, what it refuses, and that nobody can change what it has booked."""

import itertools
from collections.abc import Callable

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from apps.ledger.core.transfers import balances as reckoned
from apps.ledger.posting import LedgerError, open_holds, post, refusal
from polytraders.contracts.ledger import (
    CASH,
    FEES,
    HELD,
    MAY_BE_NEGATIVE,
    MONEY,
    OUTSIDE,
    VENUE,
    Movement,
    Phase,
    Transfer,
    TransferStatus,
)
from polytraders.contracts.reasons import reason
from tests.ledger.booked import LOGIT, SHARE, YES, balances, book, capital, end, entry_sums, example, hold, move

Connection = psycopg.Connection


def test_worked_example(app: Connection, shard: int) -> None:
    steps = example()
    book(app, steps[:1], shard)
    assert balances(app, shard)[CASH, MONEY] == (10_000_000_000, 0, 0)
    book(app, steps[1:2], shard)
    assert balances(app, shard)[CASH, MONEY] == (10_000_000_000, 0, 1_300_000_000)
    assert balances(app, shard)[HELD, MONEY] == (0, 1_300_000_000, 0)
    book(app, steps[2:7], shard)
    assert balances(app, shard)[CASH, MONEY] == (9_228_160_000, 0, 520_000_000)
    assert balances(app, shard)[LOGIT, YES] == (1_200_000_000, 0, 0)
    assert balances(app, shard)[FEES, MONEY] == (3_840_000, 0, 0)
    book(app, steps[7:8], shard)
    assert balances(app, shard)[CASH, MONEY] == (9_228_160_000, 0, 0)
    book(app, steps[8:], shard)
    assert balances(app, shard) == {
        (OUTSIDE, MONEY): (-10_000_000_000, 0, 0),
        (CASH, MONEY): (10_428_160_000, 0, 0),
        (HELD, MONEY): (0, 0, 0),
        (VENUE, MONEY): (-432_000_000, 0, 0),
        (FEES, MONEY): (3_840_000, 0, 0),
        (VENUE, YES): (0, 0, 0),
        (LOGIT, YES): (0, 0, 0),
    }


def test_a_batch_is_the_same_as_its_rows_one_by_one(app: Connection, shard: int) -> None:
    other = 1_000_000 + shard
    book(app, example(), shard)
    with app.transaction(), app.cursor() as cursor:
        for made in example():
            post(cursor, other, [made])
    assert balances(app, shard) == balances(app, other)
    query = (
        "SELECT t.in_seq, t.part, e.leg, a.code, e.asset, e.posted, e.incoming, e.outgoing FROM ledger_entry e"
        " JOIN ledger_transfer t ON t.id = e.transfer_id JOIN ledger_account a ON a.id = e.account_id"
        " WHERE e.shard = %s ORDER BY t.id, e.leg"
    )
    assert app.execute(query, (shard,)).fetchall() == app.execute(query, (other,)).fetchall()


HOLD = hold(7, 100)
BEFORE = [capital(1, 1_000), HOLD]

REFUSED: list[tuple[str, list[Movement], str]] = [
    ("the same again", [capital(1, 1_000)], "EXEC_LEDGER_DUPLICATE"),
    ("the same again, another amount", [capital(1, 5)], "EXEC_LEDGER_DUPLICATE"),
    ("the same key twice in a batch", [move(8, "fee", CASH, FEES, 1), move(8, "fee", CASH, FEES, 2)],
     "EXEC_LEDGER_DUPLICATE"),
    ("nothing", [move(8, "fee", CASH, FEES, 0)], "EXEC_LEDGER_AMOUNT_INVALID"),
    ("less than nothing", [move(8, "fee", CASH, FEES, -1)], "EXEC_LEDGER_AMOUNT_INVALID"),
    ("more than there can be", [capital(8, 2**63 - 1)], "EXEC_LEDGER_REFUSED"),
    ("to itself", [move(8, "fee", CASH, CASH, 1)], "EXEC_LEDGER_ACCOUNTS_EQUAL"),
    ("more than is free", [move(8, "money", CASH, VENUE, 901)], "EXEC_LEDGER_OVERDRAFT"),
    ("a hold of more than is free", [hold(8, 901)], "EXEC_LEDGER_OVERDRAFT"),
    ("money before it comes", [move(8, "money", CASH, VENUE, 901), capital(9, 1)], "EXEC_LEDGER_OVERDRAFT"),
    ("what is only on its way", [move(8, "money", HELD, VENUE, 1)], "EXEC_LEDGER_OVERDRAFT"),
    ("shares that are not there", [move(8, "shares", LOGIT, VENUE, 1, asset=YES)], "EXEC_LEDGER_OVERDRAFT"),
    ("a fee taken back", [move(8, "fee", FEES, CASH, 1)], "EXEC_LEDGER_OVERDRAFT"),
    ("an end without a hold", [end(8, hold(6, 100))], "EXEC_LEDGER_PENDING_MISMATCH"),
    ("an end of a posted one", [end(8, capital(1, 1_000))], "EXEC_LEDGER_PENDING_MISMATCH"),
    ("an end of another amount", [end(8, hold(7, 99))], "EXEC_LEDGER_PENDING_MISMATCH"),
    ("an end before its hold", [end(8, hold(9, 5)), hold(9, 5)], "EXEC_LEDGER_PENDING_MISMATCH"),
    ("an end of nothing named", [move(8, "void", CASH, HELD, 100, phase=Phase.VOID_PENDING)],
     "EXEC_LEDGER_PENDING_MISMATCH"),
    ("posted, and an end besides", [move(8, "money", CASH, HELD, 100, resolves=(7, 0, "hold"))],
     "EXEC_LEDGER_PENDING_MISMATCH"),
    ("two ends in a batch", [end(8, HOLD), end(9, HOLD)], "EXEC_LEDGER_CLOSED"),
    ("void and post", [end(8, HOLD), end(9, HOLD, Phase.POST_PENDING)], "EXEC_LEDGER_CLOSED"),
    ("an event of a closed block", [move(6, "fee", CASH, FEES, 1)], "EXEC_LEDGER_LATE"),
    ("one part more of a closed event", [move(7, "fee", CASH, FEES, 1)], "EXEC_LEDGER_LATE"),
    ("an account nobody knows", [move(8, "money", CASH, "pocket", 1)], "EXEC_LEDGER_REFUSED"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "movements", "code"), REFUSED, ids=[what for what, _, _ in REFUSED])
def test_a_refused_batch_has_its_code_and_leaves_nothing(
    app: Connection, shard: int, what: str, movements: list[Movement], code: str
) -> None:
    book(app, BEFORE, shard)
    before = balances(app, shard)
    good = [move(8, "good", OUTSIDE, VENUE, 1, ordinal=1)] if movements[0].source_event[0] > 7 else []
    with pytest.raises(LedgerError) as refused:
        book(app, [*good, *movements], shard)
    assert refused.value.code == code, what
    assert reason(code).owner == "ledger"
    assert balances(app, shard) == before
    assert app.execute("SELECT count(*) FROM ledger_transfer WHERE shard = %s", (shard,)).fetchone() == (2,)


def test_a_server_that_went_away_has_refused_nothing(app_dsn: str) -> None:
    with psycopg.connect(app_dsn) as conn, psycopg.connect(app_dsn, autocommit=True) as other:
        cursor = conn.cursor()
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            post(cursor, 0, BEFORE)


def test_a_hold_that_has_ended_does_not_end_again_in_a_later_block(app: Connection, shard: int) -> None:
    book(app, [*BEFORE, end(8, HOLD)], shard)
    with pytest.raises(LedgerError, match="EXEC_LEDGER_CLOSED"):
        book(app, [end(9, HOLD, Phase.POST_PENDING)], shard)
    assert open_holds(app, shard) == []


def test_a_hold_that_is_posted_moves_its_amount(app: Connection, shard: int) -> None:
    book(app, [*BEFORE, end(8, HOLD, Phase.POST_PENDING, "paid")], shard)
    assert balances(app, shard)[CASH, MONEY] == (900, 0, 0)
    assert balances(app, shard)[HELD, MONEY] == (100, 0, 0)


def test_an_account_of_another_asset_is_refused(app: Connection, shard: int) -> None:
    book(app, [*example(), hold(21, 5)], shard)
    cash, shares = (
        app.execute(
            "SELECT id FROM ledger_account WHERE shard = %s AND code = %s AND asset = %s", (shard, *key)
        ).fetchone()
        for key in ((CASH, MONEY), (LOGIT, YES))
    )
    assert cash and shares
    with pytest.raises(errors.ForeignKeyViolation, match="ledger_transfer_to"):
        app.execute(
            "INSERT INTO ledger_transfer (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount,"
            " ts, correlation) VALUES (%s, 22, 0, 'x', 'posted', %s, %s, 'pUSD', 1, 0, '')",
            (shard, cash[0], shares[0]),
        )


CHANGES = [
    "UPDATE ledger_transfer SET amount = 1",
    "UPDATE ledger_entry SET posted = 1",
    "UPDATE ledger_account SET balance = balance + 1",
    "UPDATE ledger_account SET code = 'venue' WHERE code = 'cash'",
    "UPDATE ledger_batch SET first_seq = 0",
    "DELETE FROM ledger_transfer",
    "DELETE FROM ledger_entry",
    "DELETE FROM ledger_account",
    "DELETE FROM ledger_batch",
    "TRUNCATE ledger_transfer CASCADE",
    "TRUNCATE ledger_entry",
    "TRUNCATE ledger_account CASCADE",
    "TRUNCATE ledger_batch",
]
FORBIDDEN = [
    "INSERT INTO ledger_entry (transfer_id, leg) SELECT id, 1 FROM ledger_transfer LIMIT 1",
    "INSERT INTO ledger_batch (shard, first_seq, last_seq) VALUES (0, 0, 0)",
    "INSERT INTO ledger_account (shard, code, asset, balance) VALUES (0, 'cash', 'x', 5)",
    "ALTER TABLE ledger_transfer DISABLE TRIGGER ALL",
    "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_overdraft",
    "DROP TRIGGER ledger_entry_moves ON ledger_entry",
    "DROP TABLE ledger_entry",
    "CREATE OR REPLACE FUNCTION ledger_refused() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TABLE public.ledger_shadow (id int)",
    "SET session_replication_role = replica",
]


@pytest.mark.parametrize("statement", CHANGES + FORBIDDEN)
def test_the_app_role_may_not(app: Connection, shard: int, statement: str) -> None:
    book(app, example(), shard)
    before = balances(app, shard)
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute(statement.encode())
    assert balances(app, shard) == before


@pytest.mark.parametrize("statement", CHANGES)
def test_triggers_refuse_even_the_owner(owner: Connection, shard: int, statement: str) -> None:
    book(owner, example(), shard)
    with pytest.raises(errors.InsufficientPrivilege, match="EXEC_LEDGER_IMMUTABLE"):
        owner.execute(statement.encode())
    assert balances(owner, shard) == entry_sums(owner, shard)


def test_a_leg_alone_is_refused_at_the_commit_even_from_the_owner(breaker: Connection) -> None:
    book(breaker, example())
    breaker.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_books")
    leg = (
        "INSERT INTO ledger_entry (transfer_id, leg, shard, in_seq, ordinal, account_id, asset, posted, incoming,"
        " outgoing) SELECT id, %s, shard, in_seq, ordinal, %s, asset, %s, 0, 0 FROM ledger_transfer WHERE in_seq = 30"
    )
    naked = (
        "INSERT INTO ledger_transfer (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts,"
        " correlation) SELECT 0, 30, 0, 'x', 'posted', f.id, o.id, 'pUSD', 5, 0, '' FROM ledger_account f,"
        " ledger_account o WHERE f.code = 'cash' AND o.code = 'fees' RETURNING from_account, to_account"
    )
    breaker.execute("BEGIN")
    made = breaker.execute(naked).fetchone()
    assert made
    breaker.execute(leg, (0, made[0], -5))
    # Not yet: the check waits for the commit, so the order of legs does not matter.
    assert balances(breaker)[CASH, MONEY][0] == 10_428_160_000 - 5
    with pytest.raises(errors.CheckViolation, match="EXEC_LEDGER_UNBALANCED: 30:0 pUSD") as refused:
        breaker.execute("COMMIT")
    assert refusal(refused.value).code == "EXEC_LEDGER_UNBALANCED"
    assert balances(breaker) == entry_sums(breaker)
    with breaker.transaction():
        made = breaker.execute(naked).fetchone()
        assert made
        breaker.execute(leg, (0, made[0], -5))
        breaker.execute(leg, (1, made[1], 5))
    assert balances(breaker) == entry_sums(breaker)


def test_which_accounts_may_be_negative_is_the_same_in_both_places(app: Connection, shard: int) -> None:
    book(app, [*example(), move(30, "x", VENUE, OUTSIDE, 1)], shard)
    found = {code for (code,) in app.execute("SELECT DISTINCT code FROM ledger_account WHERE may_be_negative")}
    assert found == MAY_BE_NEGATIVE


def test_nothing_is_posted_without_movements(app: Connection, shard: int) -> None:
    book(app, [], shard)
    assert balances(app, shard) == {}


SHARDS = itertools.count(2_000_000)
AMOUNTS = st.integers(1, 10**12)


@st.composite
def histories(draw: Callable[..., int]) -> list[Movement]:
    """Valid books: whatever is drawn, only what is free is spent and only what is open is ended."""
    free, shares = 0, 0
    held: list[Movement] = []
    made: list[Movement] = []
    for seq in range(1, draw(st.integers(1, 25))):
        act = draw(st.integers(0, 5))
        if act == 0 or free == 0:
            made.append(capital(seq, draw(AMOUNTS)))
            free += made[-1].amount
        elif act == 1:
            made.append(hold(seq, draw(st.integers(1, free))))
            held.append(made[-1])
            free -= made[-1].amount
        elif act in (2, 3) and held:
            of = held.pop(draw(st.integers(0, len(held) - 1)))
            made.append(end(seq, of, Phase.VOID_PENDING if act == 2 else Phase.POST_PENDING))
            free += of.amount if act == 2 else 0
        elif act == 4 and shares:
            size = draw(st.integers(1, shares))
            made += [move(seq, "shares", LOGIT, VENUE, size, asset=YES), move(seq, "money", VENUE, CASH, size)]
            shares, free = shares - size, free + size
        else:
            spent = draw(st.integers(1, free))
            made += [move(seq, "money", CASH, VENUE, spent), move(seq, "shares", VENUE, LOGIT, spent, asset=YES)]
            shares, free = shares + spent, free - spent
    return made


def folded(movements: list[Movement]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """What the pure arithmetic of transfers makes of them."""
    ends = {made.resolves: made.phase for made in movements if made.resolves}
    status = {Phase.POST_PENDING: TransferStatus.POSTED, Phase.VOID_PENDING: TransferStatus.VOIDED}
    transfers = []
    for made in movements:
        if made.resolves:
            continue
        key = (*made.source_event, made.part)
        left = TransferStatus.POSTED if made.phase is Phase.POSTED else TransferStatus.PENDING
        transfers.append(
            Transfer(
                id=str(key), source_event=made.source_event, from_account=made.from_account,
                to_account=made.to_account, asset=made.asset, amount=made.amount,
                status=status[ends[key]] if key in ends else left,
            )
        )  # fmt: skip
    return {key: (b.posted, b.incoming, b.outgoing) for key, b in reckoned(transfers).items()}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=histories(), cuts=st.sets(st.integers(1, 30)))
def test_any_valid_history_in_any_blocks_balances_and_is_what_the_arithmetic_says(
    app: Connection, made: list[Movement], cuts: set[int]
) -> None:
    shard = next(SHARDS)
    for _, block in itertools.groupby(made, lambda m: sum(cut <= m.source_event[0] for cut in cuts)):
        book(app, list(block), shard)
    found = balances(app, shard)
    assert found == entry_sums(app, shard) == folded(made)
    for asset in (MONEY, YES):
        of = [amounts for (_, name), amounts in found.items() if name == asset]
        assert sum(posted for posted, _, _ in of) == 0
        assert sum(incoming - outgoing for _, incoming, outgoing in of) == 0
    assert all(b - out >= 0 for (code, _), (b, _, out) in found.items() if code not in MAY_BE_NEGATIVE)
    ended = {m.resolves for m in made}
    still = [m for m in made if m.phase is Phase.PENDING and (*m.source_event, m.part) not in ended]
    assert open_holds(app, shard) == still


def test_open_holds_are_found_behind_many_that_have_ended(
    app: Connection, shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.ledger.posting.HOLDS_AT_ONCE", 3)
    old = hold(2, 77)
    ended = [hold(seq, 5) for seq in range(3, 40, 2)]
    later = [made for of in ended for made in (of, end(of.source_event[0] + 1, of))]
    book(app, [capital(1, 10 * SHARE), old, *later], shard)
    assert open_holds(app, shard) == [old]
