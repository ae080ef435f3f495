-- Expand and contract: programs of the release before go on working while a new one upgrades the database, and after it.

-- oldest_program: the number of the newest migration that a program must know to work on this schema. A program that
-- knows fewer migrations than the database has works on it all the same if it knows this one, and is refused if not.
-- A migration that only expands leaves it: it adds tables, indexes, and columns that are nullable or have a DEFAULT; every
-- statement of the programs that it lets work goes on to work and to mean the same. A migration that contracts (removes,
-- renames, narrows, gives another meaning) raises it, in its own file, to the first migration whose programs need nothing
-- of what goes: UPDATE clock SET oldest_program = ….
-- Programs from before this migration refuse every newer schema.
ALTER TABLE clock ADD COLUMN oldest_program BIGINT NOT NULL DEFAULT 4;
