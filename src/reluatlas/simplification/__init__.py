"""The room of one question: which smaller network is the same function on a domain."""
