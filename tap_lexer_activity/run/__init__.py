"""One run: its settings, plan, events and progress."""
