-- The two roles of the database `polytraders`, and what each may do there. Run inside that database by a superuser;
-- running it again changes nothing. psql runs it in production, postgres.py at each start of a server of our own.
-- The owner makes tables; the application reads and writes rows and makes nothing. Migrations of log and ledger take
-- UPDATE, DELETE and TRUNCATE away again for their tables.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'polytraders_owner') THEN
        CREATE ROLE polytraders_owner;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'polytraders_app') THEN
        CREATE ROLE polytraders_app;
    END IF;
END
$$;

ALTER ROLE polytraders_owner LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD :'owner_password';
ALTER ROLE polytraders_app LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION PASSWORD :'app_password';

ALTER DATABASE polytraders OWNER TO polytraders_owner;
REVOKE ALL ON DATABASE polytraders FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE polytraders TO polytraders_app;

ALTER SCHEMA public OWNER TO polytraders_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO polytraders_app;

ALTER DEFAULT PRIVILEGES FOR ROLE polytraders_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO polytraders_app;
ALTER DEFAULT PRIVILEGES FOR ROLE polytraders_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO polytraders_app;
