"""The room of one question: which units of a network can change on a domain."""
