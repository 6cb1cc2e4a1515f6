CREATE ROLE app LOGIN PASSWORD '{password}';

GRANT pg_monitor TO app;

CREATE DATABASE app OWNER app;

