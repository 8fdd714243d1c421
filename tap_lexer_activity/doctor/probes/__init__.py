"""The probes: each a list of requests that it needs, and a judgement over their answers."""
