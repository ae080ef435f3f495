"""Defects in the confirmed lease of a node on PostgreSQL."""

from tests.planted_defects.defect import Defect, in_file

_MACHINE = "server/test_lease_machine.py"
_lease = in_file("registry/lease.py", "registry/test_lease.py", _MACHINE)
_held = in_file("registry/held_credentials.py", "registry/test_held_credentials.py", _MACHINE)
_following = in_file("registry/following.py", "registry/test_following.py")
_credentials = in_file("registry/credentials.py", "registry/test_following.py")
_follower = in_file("server/registry_follower.py", "server/test_registry_follower.py", _MACHINE)

DEFECTS: list[Defect] = [
    _lease.defect(
        "Z35 a later change is forgotten for an earlier one",
        "changed_at[subject] = max(version, changed_at.get(subject, 0))",
        "changed_at[subject] = version",
    ),
    _lease.defect(
        "Z35 what is too much to tell apart is forgotten", "self._changes = (version, {})", "self._changes = (0, {})"
    ),
    _lease.defect(
        "Z35 what was read at a change counts as read before", "read_at < changed_at.get", "read_at <= changed_at.get"
    ),
    _held.defect(
        "Z46 changes are looked at before the lease",
        """        confirmed = self._lease.confirmed
        now = self._clock()
        if self._has_changed(credential, read_at):
            raise NotHeld
""",
        """        has_changed = self._has_changed(credential, read_at)
        confirmed = self._lease.confirmed
        now = self._clock()
        if has_changed:
            raise NotHeld
""",
    ),
    _held.defect("Z46 the lease begins with the answer", "asked_at + LEASE", "self._clock() + LEASE"),
    _held.defect("Z46 nothing is looked at after signing", "if self._clock() >= self._good_until:", "if False:"),
    _held.defect("Z35 the lease has no end", "if now < confirmed.until and", "if"),
    _held.defect("Z35 what was read newer is said to be older", " and read_at <= confirmed.version:", ":"),
    _held.defect(
        "Z35 what was changed is answered by its own time",
        "        if self._has_changed(credential, read_at):\n            raise NotHeld\n",
        "",
    ),
    _held.defect(
        "Z35 a tenant's change changes no secret",
        "credential.application_id, credential.tenant_id, ",
        "credential.application_id, ",
    ),
    _held.defect(
        "Z35 a secret's change changes no secret",
        "credential.tenant_id, credential.secret_id)",
        "credential.tenant_id)",
    ),
    _held.defect("Z37 everything is held", "if len(self._younger) >= self._half:", "if False:"),
    _follower.defect(
        "Z46 the lease begins with the answer of the registry", "asked_at + LEASE)", "seconds_since_boot() + LEASE)"
    ),
    _follower.defect(
        "Z35 the version is confirmed before the changes are named",
        """        if self._last is None or standing[:-1] != self._last[:-1]:
            if not""",
        """        self.lease.confirm(Confirmed(standing.version, standing.signing_keys_version, asked_at + LEASE))
        if self._last is None or standing[:-1] != self._last[:-1]:
            if not""",
    ),
    _follower.defect("Z35 changes are not named", "self.lease.note_change(event.subject, event.version)", "pass"),
    _follower.defect(
        "Z35 of many changes the last ones count",
        "            self.lease.note_changes_everywhere(standing.version)\n        elif",
        "        elif",
    ),
    _follower.defect("Z35 the making of a secret goes unnoticed", 'event.action.startswith("secret.")', "False"),
    _follower.defect(
        "Z31 a change with many events is a registry that went back",
        "goes_on = last is None or audit_head_at(view, last.event_version) == last.audit_hash",
        "goes_on = last is None or any(event.hash == last.audit_hash for event in events_page("
        "view, after=(last.event_version - 1, _END_OF_VERSION), limit=_MOST_EVENTS))",
    ),
    _follower.defect("Z35 a silent registry is ready", "_SILENCE = 2 * LEASE", "_SILENCE = 3.0"),
    _follower.defect(
        "Z35 who waits is sent away before the balancer knows", "_NO_NEWS = 3 * LEASE", "_NO_NEWS = 2 * LEASE"
    ),
    _follower.defect(
        "Z35 a node that is cut off verifies for ever",
        "if seconds_since_boot() - self.heard_at > _VERIFIES_FOR:",
        "if False:",
    ),
    _following.defect(
        "Z30 the version is taken from a standby",
        "        check_primary(is_standby=is_standby)\n        standing",
        "        standing",
    ),
    _following.defect(
        "Z30 changes are read from a standby", "                check_primary(is_standby=is_standby)\n", ""
    ),
    _credentials.defect("Z30 secrets are read from a standby", "    check_primary(is_standby=is_standby)\n", ""),
]
