"""Files: archives of arrays, whole files or none, checkpoints."""
