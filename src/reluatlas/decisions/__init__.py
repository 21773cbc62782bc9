"""One decision: which inputs make it, how far that holds, and what a path from another input adds up to."""
