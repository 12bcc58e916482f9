"""Two people are two persons: a key, a terminal and a login of one person are one of them, also to the database."""

from django.db import migrations

PERSONS = """
CREATE FUNCTION risk_person(told text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    found text;
BEGIN
    IF told NOT LIKE 'key:%' THEN
        RETURN regexp_replace(told, '^(cli|web):', '');
    END IF;
    SELECT u.username INTO found FROM access_apikey k JOIN auth_user u ON u.id = k.owner_id WHERE 'key:' || k.prefix = told;
    IF found IS NULL THEN
        RAISE EXCEPTION 'nobody answers for %', told USING ERRCODE = 'check_violation', CONSTRAINT = 'risk_person_known';
    END IF;
    RETURN found;
END $$;
CREATE FUNCTION risk_proposal_by() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whatever the writer says of the person does not count.
    NEW.person := risk_person(NEW.actor);
    RETURN NEW;
END $$;
CREATE FUNCTION risk_proposal_step_by() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.person := risk_person(NEW.actor);
    SELECT p.person INTO NEW.proposed_by FROM risk_proposal p WHERE p.id = NEW.proposal_id;
    RETURN NEW;
END $$;
ALTER TABLE risk_proposal ADD COLUMN person text NOT NULL DEFAULT '';
ALTER TABLE risk_proposal_step ADD COLUMN person text NOT NULL DEFAULT '', ADD COLUMN proposed_by text NOT NULL DEFAULT '';
UPDATE risk_proposal SET person = risk_person(actor);
UPDATE risk_proposal_step s SET person = risk_person(s.actor), proposed_by = risk_person(s.proposer);
ALTER TABLE risk_proposal ADD CHECK (person <> '');
ALTER TABLE risk_proposal_step DROP CONSTRAINT risk_four_eyes, ADD CHECK (person <> ''), ADD CHECK (proposed_by <> ''),
    ADD CONSTRAINT risk_four_eyes CHECK (state <> 'confirmed' OR person <> proposed_by);
CREATE TRIGGER risk_proposal_by BEFORE INSERT ON risk_proposal FOR EACH ROW EXECUTE FUNCTION risk_proposal_by();
CREATE TRIGGER risk_proposal_step_by BEFORE INSERT ON risk_proposal_step
    FOR EACH ROW EXECUTE FUNCTION risk_proposal_step_by();
"""
BACK = """
DROP TRIGGER risk_proposal_step_by ON risk_proposal_step;
DROP TRIGGER risk_proposal_by ON risk_proposal;
ALTER TABLE risk_proposal_step DROP CONSTRAINT risk_four_eyes, DROP COLUMN person, DROP COLUMN proposed_by,
    ADD CONSTRAINT risk_four_eyes CHECK (state <> 'confirmed' OR actor <> proposer);
ALTER TABLE risk_proposal DROP COLUMN person;
DROP FUNCTION risk_proposal_step_by, risk_proposal_by, risk_person;
"""


class Migration(migrations.Migration):
    """The rule of four eyes compares persons, which the database finds out by itself."""

    dependencies = [("risk", "0004_stream"), ("access", "0003_people")]

    operations = [migrations.RunSQL(PERSONS, BACK)]
