"""The probes: each asks what it needs, and judges the answers."""
