"""The room of one question: how networks are written for others."""
