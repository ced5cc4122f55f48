"""Thin Prefect tasks over the library: cache keys, retries, run names, artifacts."""
