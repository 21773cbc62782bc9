"""The study of toy problems."""
