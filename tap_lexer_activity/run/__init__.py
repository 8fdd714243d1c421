"""One run: what it has, what it asks for, what it yields, how far it is."""
