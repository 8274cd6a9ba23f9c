"""Ingest: megabytes of sessions per second, failures and memory."""
