-- Run once, when the database is made: the nodes' role owns its database and nothing else, and nobody can log in as the
-- superuser but from within the container.
\getenv password POSTGRES_PASSWORD
CREATE ROLE sensos_auth LOGIN PASSWORD :'password';
CREATE DATABASE sensos_auth OWNER sensos_auth;
ALTER ROLE postgres PASSWORD NULL;
