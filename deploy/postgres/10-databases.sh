#!/bin/bash
# A role and a database for each service, made once, when the data folder is empty. No service can reach another's data.
# The passwords come from <SERVICE>_DB_PASSWORD.
set -euo pipefail

for service in support incidents onboarding success; do
  variable="${service^^}_DB_PASSWORD"
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set service="$service" --set password="${!variable:?is not set}" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done
