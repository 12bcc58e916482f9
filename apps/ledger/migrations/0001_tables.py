"""The ledger's four tables. What they are called, what may stand in a row, and how rows refer to each other."""

from django.db import migrations

ACCOUNTS = """
CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard integer NOT NULL,
    code text NOT NULL CHECK (code ~ '^(cash|held|fees|venue|outside|position:.+)$'),
    asset text NOT NULL CHECK (asset <> ''),
    kind text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN code IN ('venue', 'outside') THEN 'equity' WHEN code = 'fees' THEN 'expense' ELSE 'asset' END) STORED,
    may_be_negative boolean NOT NULL GENERATED ALWAYS AS (code IN ('venue', 'outside')) STORED,
    balance bigint NOT NULL DEFAULT 0,
    incoming bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    outgoing bigint NOT NULL DEFAULT 0 CHECK (outgoing >= 0),
    CONSTRAINT ledger_account_code UNIQUE (shard, code, asset),
    CONSTRAINT ledger_account_asset UNIQUE (id, asset),
    CONSTRAINT ledger_account_overdraft CHECK (may_be_negative OR balance - outgoing >= 0)
);
-- What is compared with the loop after each commit: few rows, however many markets have come and gone.
CREATE INDEX ledger_account_open ON ledger_account (shard) WHERE balance <> 0 OR incoming <> 0 OR outgoing <> 0;
COMMENT ON COLUMN ledger_account.balance IS 'posted: in minus out, micro-pUSD or 1e-6 shares';
COMMENT ON COLUMN ledger_account.incoming IS 'what pending transfers will bring; not to be spent';
COMMENT ON COLUMN ledger_account.outgoing IS 'what pending transfers will take; balance - outgoing is free';
"""

TRANSFERS = """
CREATE TABLE ledger_transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard integer NOT NULL,
    in_seq bigint NOT NULL CHECK (in_seq >= 0),
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    part text NOT NULL CHECK (part <> ''),
    phase text NOT NULL CHECK (phase IN ('posted', 'pending', 'post_pending', 'void_pending')),
    from_account bigint NOT NULL,
    to_account bigint NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL CONSTRAINT ledger_transfer_amount CHECK (amount > 0),
    ts bigint NOT NULL,
    correlation text NOT NULL,
    resolves_seq bigint,
    resolves_ordinal bigint,
    resolves_part text,
    CONSTRAINT ledger_transfer_event UNIQUE (shard, in_seq, ordinal, part),
    CONSTRAINT ledger_transfer_accounts CHECK (from_account <> to_account),
    CONSTRAINT ledger_transfer_resolves CHECK (
        num_nulls(resolves_seq, resolves_ordinal, resolves_part)
            = CASE WHEN phase IN ('post_pending', 'void_pending') THEN 0 ELSE 3 END),
    CONSTRAINT ledger_transfer_from FOREIGN KEY (from_account, asset) REFERENCES ledger_account (id, asset),
    CONSTRAINT ledger_transfer_to FOREIGN KEY (to_account, asset) REFERENCES ledger_account (id, asset)
);
-- A pending transfer ends once, whatever two programs believe.
CREATE UNIQUE INDEX ledger_transfer_ended ON ledger_transfer (shard, resolves_seq, resolves_ordinal, resolves_part)
    WHERE resolves_seq IS NOT NULL;
-- Open holds are found from their newest backwards.
CREATE INDEX ledger_transfer_pending ON ledger_transfer (shard, in_seq, id) WHERE phase = 'pending';
"""

ENTRIES = """
CREATE TABLE ledger_entry (
    transfer_id bigint NOT NULL REFERENCES ledger_transfer (id),
    leg smallint NOT NULL CHECK (leg IN (0, 1)),
    shard integer NOT NULL,
    in_seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    account_id bigint NOT NULL,
    asset text NOT NULL,
    posted bigint NOT NULL,
    incoming bigint NOT NULL,
    outgoing bigint NOT NULL,
    PRIMARY KEY (transfer_id, leg),
    CHECK (posted <> 0 OR incoming <> 0 OR outgoing <> 0),
    CONSTRAINT ledger_entry_asset FOREIGN KEY (account_id, asset) REFERENCES ledger_account (id, asset)
);
CREATE INDEX ledger_entry_event ON ledger_entry (shard, in_seq, ordinal);
COMMENT ON COLUMN ledger_entry.leg IS '0: the account the amount leaves, 1: the account it enters';

CREATE TABLE ledger_batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL CHECK (last_seq >= first_seq),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ledger_batch_last ON ledger_batch (shard, last_seq);
COMMENT ON TABLE ledger_batch IS 'one row per statement that booked; its events are balanced when it commits';
"""


class Migration(migrations.Migration):
    """Tables by SQL; Django reads them and never changes them."""

    initial = True
    operations = [
        migrations.RunSQL(ACCOUNTS, "DROP TABLE ledger_account"),
        migrations.RunSQL(TRANSFERS, "DROP TABLE ledger_transfer"),
        migrations.RunSQL(ENTRIES, "DROP TABLE ledger_entry, ledger_batch"),
    ]
