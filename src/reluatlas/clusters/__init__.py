"""Many machines: the same answers, from workers on a Ray cluster. Ray is imported where it is used."""
