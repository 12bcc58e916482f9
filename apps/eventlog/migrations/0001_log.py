"""The log's tables, who may do what to them, and the triggers that keep everybody else from changing them."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'polytraders_app') THEN
        RAISE EXCEPTION 'role polytraders_app does not exist'
            USING HINT = 'CREATE ROLE polytraders_app LOGIN first: the log is written through it, never by its owner.';
    END IF;
END $$;
"""

TABLES = """
CREATE TABLE log_head (
    shard           int PRIMARY KEY CHECK (shard >= 0),
    version         int NOT NULL,
    seq             bigint NOT NULL CHECK (seq >= 0),
    fence           bigint NOT NULL CHECK (fence >= 0),
    epoch_seq       bigint NOT NULL,
    input_link      bytea NOT NULL CHECK (octet_length(input_link) = 32),
    input_head      bytea NOT NULL CHECK (octet_length(input_head) = 32),
    output_link     bytea NOT NULL CHECK (octet_length(output_link) = 32),
    output_links    bigint NOT NULL,
    output_last_seq bigint NOT NULL,
    canonical_file  text NOT NULL,
    canonical_bytes bigint NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE log_head IS 'Where each shard''s log ends; changed only by compare-and-set on seq and fence.';

CREATE TABLE log_block (
    shard        int NOT NULL,
    first_seq    bigint NOT NULL,
    last_seq     bigint NOT NULL CHECK (last_seq >= first_seq),
    epoch_seq    bigint NOT NULL,
    byte_from    bigint NOT NULL,
    byte_to      bigint NOT NULL,
    raw_from     bigint NOT NULL,
    raw_to       bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    inputs       int NOT NULL,
    outputs      int NOT NULL,
    segment      text NOT NULL,
    raw_segment  text NOT NULL,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    output_link  bytea NULL CHECK (octet_length(output_link) = 32),
    PRIMARY KEY (shard, first_seq),
    CHECK (inputs = last_seq - first_seq + 1),
    CHECK ((output_link IS NULL) = (outputs = 0))
) PARTITION BY RANGE (first_seq);
COMMENT ON TABLE log_block IS 'One row seals one committed stretch of the canonical segment by its SHA-256.';

CREATE TABLE log_control (
    shard   int NOT NULL,
    in_seq  bigint NOT NULL,
    kind    smallint NOT NULL,
    market  int NOT NULL,
    actor   text NOT NULL,
    key     text NOT NULL,
    row     bytea NOT NULL CHECK (octet_length(row) = 80),
    payload bytea NULL,
    PRIMARY KEY (shard, in_seq)
) PARTITION BY RANGE (in_seq);
CREATE INDEX log_control_told ON log_control (shard, in_seq) WHERE payload IS NOT NULL;
COMMENT ON TABLE log_control IS 'Every input that is not market data, with who caused it.';

CREATE TABLE log_output (
    shard     int NOT NULL,
    in_seq    bigint NOT NULL,
    votes     bigint NOT NULL,
    order_seq bigint NULL,
    ordinal   int NOT NULL,
    market    int NOT NULL,
    strategy  int NOT NULL,
    first     int NOT NULL,
    kind      smallint NOT NULL,
    body      bytea NOT NULL,
    PRIMARY KEY (shard, in_seq, ordinal),
    CHECK (kind <> 1 OR (votes = 0 AND order_seq = in_seq))
) PARTITION BY RANGE (in_seq);
CREATE INDEX log_output_order ON log_output (shard, order_seq) WHERE order_seq IS NOT NULL;
COMMENT ON TABLE log_output IS 'What the loop made of the inputs; an approval has no rejecting vote, or it is refused.';

CREATE TABLE log_record (
    shard  int NOT NULL,
    what   smallint NOT NULL,
    index  int NOT NULL,
    in_seq bigint NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (shard, what, index, in_seq)
);
COMMENT ON TABLE log_record IS 'Facts, settings, limits and parameters in force from an input on.';

CREATE TABLE log_floor (
    shard           int NOT NULL,
    first_seq       bigint NOT NULL,
    input_link      bytea NOT NULL,
    input_rest      bytea NOT NULL,
    output_link     bytea NOT NULL,
    output_links    bigint NOT NULL,
    output_last_seq bigint NOT NULL,
    dropped_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, first_seq)
);
COMMENT ON TABLE log_floor IS 'Where the chains stood before the first block that is still kept.';

CREATE TABLE log_checkpoint (
    shard      int NOT NULL,
    in_seq     bigint NOT NULL,
    state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
    build_hash bytea NOT NULL,
    file       text NOT NULL,
    bytes      bigint NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, in_seq, build_hash)
);
COMMENT ON TABLE log_checkpoint IS 'Where states were kept: a hint, never truth.';

CREATE TABLE inbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      int NOT NULL CHECK (shard >= 0),
    kind       text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,31}$'),
    actor      text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    permission text NOT NULL CHECK (length(permission) BETWEEN 1 AND 200),
    key        text NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 200),
    payload    text NOT NULL CHECK (octet_length(payload) <= 65536),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbox_shard ON inbox (shard, id);
COMMENT ON TABLE inbox IS 'Commands on their way to the loop, which deletes each in the transaction that records it.';
"""

GUARDS = """
CREATE FUNCTION eventlog_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'GOV_CHAIN_BROKEN: % on % is refused: the log is only ever appended to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501';
END $$;

CREATE FUNCTION eventlog_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq < OLD.seq OR NEW.fence < OLD.fence OR NEW.version < OLD.version OR NEW.shard <> OLD.shard THEN
        RAISE EXCEPTION 'GOV_EVENT_ORDER: the head of shard % may only go forward', OLD.shard USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION eventlog_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('inbox', NEW.shard::text);
    RETURN NULL;
END $$;

CREATE TRIGGER forward BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION eventlog_forward();
CREATE TRIGGER refuse BEFORE DELETE ON log_head FOR EACH ROW EXECUTE FUNCTION eventlog_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION eventlog_refuse();
CREATE TRIGGER refuse BEFORE UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION eventlog_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON inbox FOR EACH STATEMENT EXECUTE FUNCTION eventlog_refuse();
CREATE TRIGGER wake AFTER INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION eventlog_wake();

DO $$
DECLARE name text;
BEGIN
    -- A row trigger is inherited by every partition, one on TRUNCATE is not: eventlog_partition adds it.
    FOREACH name IN ARRAY ARRAY['log_block', 'log_control', 'log_output', 'log_record', 'log_floor'] LOOP
        EXECUTE format('CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON %I FOR EACH ROW '
                       'EXECUTE FUNCTION eventlog_refuse()', name);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION eventlog_refuse()', name);
    END LOOP;
END $$;
"""

PARTITIONS = """
CREATE FUNCTION eventlog_partition(parent text, suffix text, bounds text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := parent || '_' || suffix;
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I %s', name, parent, bounds);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, polytraders_app', name);
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = name::regclass AND tgname = 'refuse_truncate') THEN
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION eventlog_refuse()', name);
    END IF;
END $$;
COMMENT ON FUNCTION eventlog_partition IS 'Adds a partition with its guards: apps/eventlog/retention.py.';

-- The width of a partition is PARTITION_ROWS of retention.py, about a day at 2,000 messages a second.
SELECT eventlog_partition(parent, 'rest', 'DEFAULT'),
       eventlog_partition(parent, '0', 'FOR VALUES FROM (0) TO (200000000)'),
       eventlog_partition(parent, '1', 'FOR VALUES FROM (200000000) TO (400000000)')
FROM unnest(ARRAY['log_block', 'log_control', 'log_output']) AS parent;
"""

RIGHTS = """
REVOKE ALL ON log_head, log_block, log_control, log_output, log_record, log_floor, log_checkpoint, inbox
    FROM PUBLIC, polytraders_app;
GRANT SELECT, INSERT ON log_block, log_control, log_output, log_record TO polytraders_app;
GRANT SELECT ON log_floor TO polytraders_app;
GRANT SELECT, INSERT, DELETE ON log_checkpoint TO polytraders_app;
GRANT SELECT, INSERT ON log_head TO polytraders_app;
GRANT UPDATE (version, seq, fence, epoch_seq, input_link, input_head, output_link, output_links, output_last_seq,
    canonical_file, canonical_bytes, updated_at) ON log_head TO polytraders_app;
-- FOR UPDATE asks for the right to update one column; a trigger refuses every update all the same.
GRANT SELECT, INSERT, DELETE, UPDATE (shard) ON inbox TO polytraders_app;
REVOKE ALL ON FUNCTION eventlog_partition, eventlog_refuse, eventlog_forward, eventlog_wake FROM PUBLIC;
"""

UNDO = """
DROP TABLE IF EXISTS log_head, log_block, log_control, log_output, log_record, log_floor, log_checkpoint, inbox;
DROP FUNCTION IF EXISTS eventlog_partition, eventlog_refuse, eventlog_forward, eventlog_wake;
"""


class Migration(migrations.Migration):
    """Run by the owner of the database."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(ROLES, migrations.RunSQL.noop),
        migrations.RunSQL(TABLES, UNDO),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
        migrations.RunSQL(PARTITIONS, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
