"""Thin Prefect tasks over the library: how their results are kept and found, and what they log."""
