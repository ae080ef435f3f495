-- The revocation feed: what is void before it expires, the key that the feed is signed with, and who listens.

-- The version of the last revocation, so that who holds them in memory knows when to read them again.
ALTER TABLE clock ADD COLUMN revocations_version BIGINT NOT NULL DEFAULT 0;

-- One entry for each subject (model/revocation.py). version is that of the change which wrote it last: readers go on
-- from the version they have. void_before and ends_at only ever grow; after ends_at (UTC seconds) an entry is purged.
CREATE TABLE revocations (
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    version BIGINT NOT NULL,
    void_before BIGINT,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (kind, digest)
) /*sqlite WITHOUT ROWID*/;
-- With every column, so that a page is read from this index alone: twice as fast.
CREATE INDEX revocations_in_order ON revocations (version, kind, digest, void_before, ends_at);
CREATE INDEX revocations_by_end ON revocations (ends_at);

-- sealed_private_key is encrypted under the master key, as those of the signing keys.
CREATE TABLE feed_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    public_jwk TEXT NOT NULL,
    sealed_private_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_version BIGINT NOT NULL
);

-- What verifiers said of themselves when they last polled, observed and not decided: losing a row loses nothing that
-- the next poll does not bring back. seen_at and live_until are UTC milliseconds; kids are separated by commas.
CREATE TABLE verifiers (
    application_id TEXT NOT NULL,
    name TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    kids TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    live_until BIGINT NOT NULL,
    PRIMARY KEY (application_id, name)
) /*sqlite WITHOUT ROWID*/;
