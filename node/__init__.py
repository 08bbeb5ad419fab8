"""Credence nodes: train, verify, agree, score, settle; simulate and audit. `ls node/` reads as the pipeline."""
