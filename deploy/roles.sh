#!/bin/sh
# Run once by the image of PostgreSQL, when it makes its cluster. Passwords come from the environment, not from a command line.
set -eu
psql -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d polytraders <<SQL
\getenv owner_password POLYTRADERS_OWNER_PASSWORD
\getenv app_password POLYTRADERS_APP_PASSWORD
\i ${ROLES:-/roles/roles.sql}
SQL
