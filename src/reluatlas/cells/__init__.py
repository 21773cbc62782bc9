"""The subdivision engine: from a network and a domain to its cells."""
