"""What the database does by itself: derives entries, moves balances, and refuses what must not be.

All of it works on a statement at a time, so a block of a thousand transfers is one pass over a thousand rows.
"""

from django.db import migrations

# The plans of these functions are made once a session, perhaps while the tables are empty: without this they would
# read whole tables for ever.
BY_INDEX = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
DEFINER = f"LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp {BY_INDEX}"

ENTRIES = f"""
CREATE FUNCTION ledger_transfer_booked() RETURNS trigger {DEFINER} AS $$
DECLARE bad record;
BEGIN
    SELECT f.in_seq, f.ordinal, f.part INTO bad
      FROM fresh f
      LEFT JOIN ledger_transfer p ON p.shard = f.shard AND p.in_seq = f.resolves_seq
            AND p.ordinal = f.resolves_ordinal AND p.part = f.resolves_part
     WHERE f.resolves_seq IS NOT NULL
       AND (p.phase IS DISTINCT FROM 'pending' OR p.id > f.id OR p.amount <> f.amount OR p.asset <> f.asset
            OR p.from_account <> f.from_account OR p.to_account <> f.to_account)
     ORDER BY f.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'EXEC_LEDGER_PENDING_MISMATCH: %:%:%', bad.in_seq, bad.ordinal, bad.part
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO ledger_entry (transfer_id, leg, shard, in_seq, ordinal, account_id, asset, posted, incoming, outgoing)
    SELECT f.id, l.leg, f.shard, f.in_seq, f.ordinal, CASE l.leg WHEN 0 THEN f.from_account ELSE f.to_account END,
           f.asset,
           CASE WHEN f.phase IN ('posted', 'post_pending') THEN f.amount * (2 * l.leg - 1) ELSE 0 END,
           CASE WHEN l.leg = 1 THEN w.held ELSE 0 END,
           CASE WHEN l.leg = 0 THEN w.held ELSE 0 END
      FROM fresh f
     CROSS JOIN LATERAL
           (SELECT CASE f.phase WHEN 'posted' THEN 0 WHEN 'pending' THEN f.amount ELSE -f.amount END) w (held)
     CROSS JOIN (VALUES (0::smallint), (1::smallint)) l (leg)
     ORDER BY f.id, l.leg;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_transfer_books AFTER INSERT ON ledger_transfer
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_transfer_booked();
"""

BALANCES = f"""
CREATE FUNCTION ledger_entry_moved() RETURNS trigger {DEFINER} AS $$
DECLARE bad record;
BEGIN
    -- The order of locks is that of the ids, so two writers can wait for each other but never both.
    PERFORM 1 FROM ledger_account WHERE id IN (SELECT account_id FROM fresh) ORDER BY id FOR UPDATE;
    -- No account may be overdrawn at any transfer of the statement, not only at its end.
    SELECT a.code, a.asset INTO bad
      FROM (SELECT account_id, sum(posted - outgoing) OVER (PARTITION BY account_id ORDER BY transfer_id) AS reached
              FROM fresh) r
      JOIN ledger_account a ON a.id = r.account_id
     WHERE NOT a.may_be_negative AND a.balance - a.outgoing + r.reached < 0
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'EXEC_LEDGER_OVERDRAFT: % %', bad.code, bad.asset USING ERRCODE = 'check_violation';
    END IF;
    UPDATE ledger_account a
       SET balance = a.balance + d.posted, incoming = a.incoming + d.incoming, outgoing = a.outgoing + d.outgoing
      FROM (SELECT account_id, sum(posted)::bigint AS posted, sum(incoming)::bigint AS incoming,
                   sum(outgoing)::bigint AS outgoing
              FROM fresh GROUP BY account_id) d
     WHERE a.id = d.account_id;
    INSERT INTO ledger_batch (shard, first_seq, last_seq)
    SELECT shard, min(in_seq), max(in_seq) FROM fresh GROUP BY shard;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_moves AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_moved();
"""

CLOSED = f"""
CREATE FUNCTION ledger_batch_in_order() RETURNS trigger {DEFINER} AS $$
DECLARE later bigint;
BEGIN
    -- Rows of this very transaction do not count: a block may be booked in several statements.
    SELECT last_seq INTO later FROM ledger_batch
     WHERE shard = NEW.shard AND last_seq >= NEW.first_seq AND xid <> pg_current_xact_id() LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'EXEC_LEDGER_LATE: % after %', NEW.first_seq, later USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_batch_order BEFORE INSERT ON ledger_batch
    FOR EACH ROW EXECUTE FUNCTION ledger_batch_in_order();

CREATE FUNCTION ledger_batch_balanced() RETURNS trigger {DEFINER} AS $$
DECLARE bad record;
BEGIN
    SELECT in_seq, ordinal, asset INTO bad
      FROM ledger_entry
     WHERE shard = NEW.shard AND in_seq BETWEEN NEW.first_seq AND NEW.last_seq
     GROUP BY in_seq, ordinal, asset HAVING sum(posted) <> 0 OR sum(incoming) <> sum(outgoing)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'EXEC_LEDGER_UNBALANCED: %:% %', bad.in_seq, bad.ordinal, bad.asset
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_batch_balance AFTER INSERT ON ledger_batch
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_batch_balanced();
"""

IMMUTABLE = """
CREATE FUNCTION ledger_refused() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'EXEC_LEDGER_IMMUTABLE: % of %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_transfer_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refused();
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refused();
CREATE TRIGGER ledger_batch_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_batch
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refused();
CREATE TRIGGER ledger_account_stays BEFORE DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refused();
-- A balance is changed by the trigger of the entries and by nobody else, the owner included.
CREATE TRIGGER ledger_account_moves BEFORE UPDATE ON ledger_account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refused();
CREATE FUNCTION ledger_account_opened() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.balance := 0; NEW.incoming := 0; NEW.outgoing := 0;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_account_opens BEFORE INSERT ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_account_opened();
"""

RIGHTS = """
REVOKE ALL ON ledger_account, ledger_transfer, ledger_entry, ledger_batch FROM PUBLIC, polytraders_app;
GRANT SELECT ON ledger_account, ledger_transfer, ledger_entry, ledger_batch TO polytraders_app;
GRANT INSERT (shard, code, asset) ON ledger_account TO polytraders_app;
GRANT INSERT (shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts, correlation,
              resolves_seq, resolves_ordinal, resolves_part) ON ledger_transfer TO polytraders_app;
REVOKE ALL ON FUNCTION ledger_transfer_booked, ledger_entry_moved, ledger_batch_in_order, ledger_batch_balanced,
    ledger_refused, ledger_account_opened FROM PUBLIC;
"""
FUNCTIONS = (
    "ledger_transfer_booked", "ledger_entry_moved", "ledger_batch_in_order", "ledger_batch_balanced", "ledger_refused",
    "ledger_account_opened",
)  # fmt: skip


class Migration(migrations.Migration):
    """Triggers and rights."""

    dependencies = [("ledger", "0001_tables")]
    operations = [
        migrations.RunSQL(
            [ENTRIES, BALANCES, CLOSED, IMMUTABLE, RIGHTS],
            [f"DROP FUNCTION {name} CASCADE" for name in FUNCTIONS],
        )
    ]
