-- The registry. Portable between SQLite and PostgreSQL; times are UTC seconds since the epoch.
-- A migration that has been released is never edited: what changes later is a new file.
-- What stands in /*sqlite …*/ is for SQLite alone. WITHOUT ROWID keeps a row in the tree of its primary key, so that the
-- hot read (queries/secrets.sql) goes down one tree for each table and not two.

-- The logical clock (one row). Every change raises version; signing_keys_version is the version of the last change
-- to a signing key, so that who holds keys in memory knows when to read them again.
CREATE TABLE clock (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version BIGINT NOT NULL,
    signing_keys_version BIGINT NOT NULL
);
INSERT INTO clock (only_row, version, signing_keys_version) VALUES (1, 0, 0);

CREATE TABLE tenants (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    lifetime BIGINT CHECK (lifetime BETWEEN 1 AND 86400),
    created_at BIGINT NOT NULL,
    created_version BIGINT NOT NULL,
    disabled_at BIGINT
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX tenants_in_order ON tenants (created_version, tenant_id);

CREATE TABLE applications (
    application_id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    lifetime BIGINT CHECK (lifetime BETWEEN 1 AND 86400),
    created_at BIGINT NOT NULL,
    created_version BIGINT NOT NULL,
    disabled_at BIGINT
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX applications_of_tenant ON applications (tenant_id, created_version, application_id);
CREATE INDEX applications_in_order ON applications (created_version, application_id);

-- A secret is looked up by the SHA-256 digest of what was shown, and by nothing that an outsider can enumerate.
-- The last four columns repeat what the row's application says, so that the hot read needs no second large tree. Who
-- changes one of them in applications changes it here in the same transaction (queries/applications.sql).
CREATE TABLE secrets (
    digest BYTEA NOT NULL PRIMARY KEY,
    secret_id TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL REFERENCES applications (application_id),
    created_at BIGINT NOT NULL,
    created_version BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    tenant_id TEXT NOT NULL,
    application_scope TEXT NOT NULL,
    application_lifetime BIGINT,
    application_disabled_at BIGINT
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX secrets_of_application ON secrets (application_id, created_version, secret_id);

-- sealed_private_key is encrypted under the master key (format: issuing/master_key.py) and erased once a key is
-- retired or revoked.
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private_key BYTEA,
    created_at BIGINT NOT NULL,
    created_version BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    signs_until BIGINT,
    revoked_at BIGINT,
    CHECK (signs_until >= signs_from)
);
-- At most one key is the last in line, whatever several processes do at once.
CREATE UNIQUE INDEX signing_keys_one_newest ON signing_keys ((CASE WHEN signs_until IS NULL THEN 1 END));

-- Written in the transaction of the change it tells of. Append only.
CREATE TABLE audit_events (
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    tenant_id TEXT,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (version, position)
);
