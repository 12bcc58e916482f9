"""Proposals that a second person answers, reasons given afterwards, drills, and which kills the audit has."""

from django.db import migrations, models

TABLES = """
CREATE TABLE risk_proposal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('limit', 'release', 'rollout', 'parameter')),
    target text NOT NULL,
    payload text NOT NULL CHECK (json_typeof(payload::json) = 'object'),
    before text NOT NULL,
    after text NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    UNIQUE (id, actor)
);
CREATE TABLE risk_proposal_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proposal_id bigint NOT NULL,
    proposer text NOT NULL,
    state text NOT NULL CHECK (state IN ('confirmed', 'refused', 'withdrawn', 'expired', 'done', 'failed')),
    actor text NOT NULL CHECK (actor <> ''),
    words text NOT NULL,
    after_seq bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (proposal_id, proposer) REFERENCES risk_proposal (id, actor),
    CONSTRAINT risk_four_eyes CHECK (state <> 'confirmed' OR actor <> proposer)
);
-- Answered once, and the loop's answer comes once.
CREATE UNIQUE INDEX risk_proposal_answered ON risk_proposal_step (proposal_id)
    WHERE state IN ('confirmed', 'refused', 'withdrawn', 'expired');
CREATE UNIQUE INDEX risk_proposal_ended ON risk_proposal_step (proposal_id) WHERE state IN ('done', 'failed');
CREATE TABLE risk_why (
    key text PRIMARY KEY REFERENCES risk_control (key),
    actor text NOT NULL CHECK (actor <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE risk_audited (
    key text PRIMARY KEY REFERENCES risk_control (key),
    fence_us bigint NOT NULL,
    through text NOT NULL,
    asked_ns bigint NOT NULL
);
CREATE TABLE risk_drill (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    scope smallint NOT NULL,
    name text NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    asked_ns bigint NOT NULL,
    fence_us bigint NOT NULL,
    input_us bigint NULL,
    pulled_us bigint NULL,
    orders int NOT NULL,
    released_us bigint NULL,
    in_seq bigint NULL,
    code text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE UPDATE, DELETE, TRUNCATE
    ON risk_proposal, risk_proposal_step, risk_why, risk_audited, risk_drill FROM polytraders_app;
"""


class Migration(migrations.Migration):
    """Rows are added and never changed; the database itself refuses a proposal confirmed by its proposer."""

    dependencies = [("risk", "0002_controls")]

    operations = [
        migrations.RunSQL(TABLES, "DROP TABLE risk_drill, risk_audited, risk_why, risk_proposal_step, risk_proposal"),
        migrations.CreateModel(
            name="ControlRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("scope", models.SmallIntegerField()),
                ("name", models.TextField()),
                ("act", models.TextField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
                ("key", models.TextField(unique=True)),
                ("at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "risk_control", "verbose_name": "kill or release"},
        ),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("kind", models.TextField()),
                ("target", models.TextField()),
                ("payload", models.TextField()),
                ("before", models.TextField()),
                ("after", models.TextField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
                ("at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "risk_proposal", "verbose_name": "proposal"},
        ),
        migrations.CreateModel(
            name="ProposalStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "proposal",
                    models.ForeignKey(on_delete=models.deletion.DO_NOTHING, related_name="steps", to="risk.proposal"),
                ),
                ("proposer", models.TextField()),
                ("state", models.TextField()),
                ("actor", models.TextField()),
                ("words", models.TextField()),
                ("after_seq", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "risk_proposal_step", "verbose_name": "step of a proposal"},
        ),
        migrations.CreateModel(
            name="Drill",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.IntegerField()),
                ("scope", models.SmallIntegerField()),
                ("name", models.TextField()),
                ("actor", models.TextField()),
                ("asked_ns", models.BigIntegerField()),
                ("fence_us", models.BigIntegerField()),
                ("input_us", models.BigIntegerField(null=True)),
                ("pulled_us", models.BigIntegerField(null=True)),
                ("orders", models.IntegerField()),
                ("released_us", models.BigIntegerField(null=True)),
                ("in_seq", models.BigIntegerField(null=True)),
                ("code", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "risk_drill", "verbose_name": "kill drill"},
        ),
    ]
