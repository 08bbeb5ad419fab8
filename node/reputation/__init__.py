"""Reputation from who verified whom: walks on the evaluation graph, exact and the same on every machine (DESIGN §7)."""
