-- name: create_migrations_table()!
CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL);

-- name: applied_migrations()
SELECT number, name FROM migrations ORDER BY number;

-- name: insert_migration(number, name, applied_at)!
INSERT INTO migrations (number, name, applied_at) VALUES (:number, :name, :applied_at);

-- name: oldest_program()$
SELECT oldest_program FROM clock;
