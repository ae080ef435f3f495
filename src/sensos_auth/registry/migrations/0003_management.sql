-- Management: what tenants and operators change later, a chained audit trail, usage, and what a restore needs.

-- changed_version is that of the change which wrote the row last: its ETag. A deleted row stays, for the trail, and so
-- that its ID is never given again; it is disabled as well, so that the hot read needs to know of nothing new.
ALTER TABLE tenants ADD COLUMN changed_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN deleted_at BIGINT;
UPDATE tenants SET changed_version = created_version;

-- audience: the aud of its tokens, NULL for the deployment's.
ALTER TABLE applications ADD COLUMN changed_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN deleted_at BIGINT;
ALTER TABLE applications ADD COLUMN audience TEXT;
UPDATE applications SET changed_version = created_version;

-- retire_unused_for: seconds without use after which it is revoked by itself, NULL for never; counted from
-- retire_unused_from (UTC seconds) or its last use, whichever is later. warned_days: the last warning before its end
-- that was given. application_audience repeats the application's, as its neighbours do.
ALTER TABLE secrets ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE secrets ADD COLUMN changed_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE secrets ADD COLUMN retire_unused_for BIGINT;
ALTER TABLE secrets ADD COLUMN retire_unused_from BIGINT;
ALTER TABLE secrets ADD COLUMN warned_days BIGINT;
ALTER TABLE secrets ADD COLUMN application_audience TEXT;
UPDATE secrets SET changed_version = created_version;
CREATE INDEX secrets_that_end ON secrets (expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX secrets_that_retire ON secrets (retire_unused_from)
    WHERE revoked_at IS NULL AND retire_unused_from IS NOT NULL;

-- Each event's hash covers the event and the hash before it (registry/audit_chain.py); clock.audit_hash is that of the
-- last one. Events from before this migration have none. hash_before repeats the hash of the event before, so that an
-- event that was altered is told from one whose predecessor was removed.
ALTER TABLE audit_events ADD COLUMN hash_before BYTEA;
ALTER TABLE audit_events ADD COLUMN hash BYTEA;
ALTER TABLE clock ADD COLUMN audit_hash BYTEA;
CREATE INDEX audit_events_of_tenant ON audit_events (tenant_id, version, position);
-- The engines refuse to alter and to remove an event: against mistakes. Against who owns the database there is the chain.
/*sqlite CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'append only'); END;*/
/*sqlite CREATE TRIGGER audit_events_last BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'append only'); END;*/
/*postgresql CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'append only'; END $$;
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
EXECUTE FUNCTION audit_events_stay();*/

-- Counted, not decided: as the table verifiers, these may lose their last minutes with the power. minute is UTC minutes
-- since the epoch, and comes first: rows are written at the end of the table, and removed at its beginning. secret_id is
-- '' for refusals; application_id is '' for those that named no application of this registry.
CREATE TABLE usage (
    minute BIGINT NOT NULL,
    application_id TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    tokens BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    PRIMARY KEY (minute, application_id, secret_id)
) /*sqlite WITHOUT ROWID*/;
-- When the audit trail last got a sample of an application's refusals, in UTC seconds.
CREATE TABLE refusal_samples (
    application_id TEXT NOT NULL PRIMARY KEY,
    sampled_at BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX refusal_samples_by_time ON refusal_samples (sampled_at);
-- tokens_expire_at: when the last token that was obtained with the secret expires. Both in UTC seconds.
CREATE TABLE secret_uses (
    secret_id TEXT NOT NULL PRIMARY KEY,
    last_used_at BIGINT NOT NULL,
    tokens_expire_at BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- The answers to creations that carried an Idempotency-Key, sealed under the master key because they show secrets.
CREATE TABLE idempotent_answers (
    key_digest BYTEA NOT NULL PRIMARY KEY,
    request_digest BYTEA NOT NULL,
    sealed_answer BYTEA NOT NULL,
    ends_at BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- issuing_locked_at: set by a restore that doesn't know what was taken away since the backup (UTC seconds).
-- webhook_version: the version of the last audit event that the webhook was told of. Whoever tells it takes its turn
-- until webhook_turn_until (UTC milliseconds), which after webhook_failures failures in a row lies further away.
-- uses_recorded_from: when the service began to record the uses of secrets (UTC seconds), NULL before it has.
ALTER TABLE clock ADD COLUMN issuing_locked_at BIGINT;
ALTER TABLE clock ADD COLUMN webhook_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN webhook_turn_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN webhook_failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN uses_recorded_from BIGINT;
