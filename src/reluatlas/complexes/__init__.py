"""All cells of a domain: complexes, and every question that is asked of one."""
