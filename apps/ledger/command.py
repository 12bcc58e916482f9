"""`polytraders ledger`: the books on a terminal or in a file. Reads only."""

import argparse
import json
from typing import Any

import psycopg

from apps.ledger import exports, reports
from apps.ledger.exports import Out


def run(given: argparse.Namespace, conn: psycopg.Connection[Any], out: Out, said: Out) -> int:
    """Write the wanted report to `out`, and what is to be said about it to `said`. Returns the exit code.

    1 says that debits and credits differ.
    """
    if given.report == "trial-balance":
        return _trial_balance(given, conn, out)
    if given.report == "journal":
        count = _journal(given, conn, out)
    elif given.format == "csv":
        count = exports.write_csv(conn, given.shard, given.since, out)
    else:
        count = exports.write_beancount(conn, given.shard, given.since, out)
    if not count:
        said.write(f"{reports.empty(given.shard, given.since)}\n")
    return 0


def _trial_balance(given: argparse.Namespace, conn: psycopg.Connection[Any], out: Out) -> int:
    found = reports.trial_balance(conn, given.shard)
    if given.json:
        totals = {asset: {"debit": debit, "credit": credit} for asset, (debit, credit) in found.totals().items()}
        lines = [line._asdict() for line in found.lines]
        whole = {"shard": given.shard, "in_seq": found.in_seq, "lines": lines, "totals": totals, "empty": found.empty}
        out.write(f"{json.dumps(whole | {'foots': found.foots}, indent=2)}\n")
    else:
        out.write(f"{reports.trial_balance_text(given.shard, found)}\n")
    return 0 if found.foots else 1


def _journal(given: argparse.Namespace, conn: psycopg.Connection[Any], out: Out) -> int:
    count = 0
    for made in reports.journal(conn, given.shard, given.since):
        count += 1
        text = json.dumps(reports.movement_fields(made)) if given.json else reports.journal_line(made)
        out.write(f"{text}\n")
    return count
