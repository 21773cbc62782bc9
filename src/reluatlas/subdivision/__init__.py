"""The engine: a domain is cut, layer by layer, into its cells."""
