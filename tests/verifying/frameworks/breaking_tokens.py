"""Tokens at which the verifier of a served example breaks: one for each way."""

BREAKING_TOKENS = ["no-keys", "no-revocations", "a-defect", "no-memory"]
