"""Kills and releases as they were asked for; rows are added and never changed."""

from django.db import migrations


class Migration(migrations.Migration):
    """The table, and what the application may do with it."""

    dependencies = [("risk", "0001_decisions")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE risk_control (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                shard int NOT NULL,
                scope smallint NOT NULL CHECK (scope BETWEEN 0 AND 4),
                name text NOT NULL,
                act text NOT NULL CHECK (act IN ('kill', 'release')),
                actor text NOT NULL CHECK (actor <> ''),
                reason text NOT NULL,
                key text NOT NULL UNIQUE,
                at timestamptz NOT NULL DEFAULT clock_timestamp(),
                CHECK ((scope = 0) = (name = '')),
                CHECK (act = 'kill' OR reason <> '')
            );
            CREATE INDEX risk_control_newest ON risk_control (shard, scope, name, id DESC);
            REVOKE UPDATE, DELETE, TRUNCATE ON risk_control FROM polytraders_app;
            """,
            "DROP TABLE risk_control",
        )
    ]
