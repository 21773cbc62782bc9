"""What have two networks in common? Their difference on a domain, at data, and between data."""
