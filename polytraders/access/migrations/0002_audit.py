"""The audit rows: the database itself sees to it that each follows from the last, and that none is ever changed."""

from django.db import migrations, models

TABLES = """
CREATE TABLE access_audit (
    id bigint PRIMARY KEY CHECK (id > 0),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    act text NOT NULL CHECK (act ~ '^[a-z][a-z0-9-]*([.][a-z][a-z0-9-]*)+$'),
    family text NOT NULL GENERATED ALWAYS AS (split_part(act, '.', 1)) STORED,
    target text NOT NULL,
    reason text NOT NULL,
    before text NOT NULL CHECK (json_typeof(before::json) = 'object'),
    after text NOT NULL CHECK (json_typeof(after::json) = 'object'),
    ip text NOT NULL,
    agent text NOT NULL,
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX access_audit_family ON access_audit (family, id);
CREATE INDEX access_audit_actor ON access_audit (actor, id);
COMMENT ON COLUMN access_audit.before IS 'JSON in the spelling that was hashed';

CREATE TABLE access_audit_head (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    last_id bigint NOT NULL,
    last_hash bytea NOT NULL
);
INSERT INTO access_audit_head (last_id, last_hash) VALUES (0, decode(repeat('00', 32), 'hex'));
"""

CHAINED = """
CREATE FUNCTION access_audit_follows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE access_audit_head SET last_id = NEW.id, last_hash = NEW.hash
     WHERE last_id = NEW.id - 1 AND last_hash = NEW.prev_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'GOV_AUDIT_BROKEN: row % does not follow from the last', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_audit_chained BEFORE INSERT ON access_audit
    FOR EACH ROW EXECUTE FUNCTION access_audit_follows();
"""

STAYS = """
CREATE FUNCTION access_audit_refused() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'GOV_AUDIT_BROKEN: % of %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER access_audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON access_audit
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refused();
CREATE TRIGGER access_audit_head_stays BEFORE INSERT OR DELETE OR TRUNCATE ON access_audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refused();
-- The head is moved by the trigger of the rows and by nobody else, the owner included.
CREATE TRIGGER access_audit_head_moves BEFORE UPDATE ON access_audit_head
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION access_audit_refused();
"""

RIGHTS = """
REVOKE ALL ON access_audit, access_audit_head FROM PUBLIC, polytraders_app;
GRANT SELECT ON access_audit, access_audit_head TO polytraders_app;
GRANT INSERT (id, at, actor, act, target, reason, before, after, ip, agent, prev_hash, hash) ON access_audit
    TO polytraders_app;
REVOKE ALL ON FUNCTION access_audit_follows, access_audit_refused FROM PUBLIC;
"""


class Migration(migrations.Migration):
    """Made by SQL; Django reads it."""

    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [TABLES, CHAINED, STAYS, RIGHTS],
            "DROP TABLE access_audit, access_audit_head; DROP FUNCTION access_audit_follows, access_audit_refused",
        ),
        migrations.CreateModel(
            name="AuditRow",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("act", models.TextField()),
                ("family", models.TextField()),
                ("target", models.TextField()),
                ("reason", models.TextField()),
                ("before", models.TextField()),
                ("after", models.TextField()),
                ("ip", models.TextField()),
                ("agent", models.TextField()),
                ("prev_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
            options={"verbose_name": "audit row", "db_table": "access_audit", "managed": False},
        ),
    ]
