"""How alike the maps of networks are."""
