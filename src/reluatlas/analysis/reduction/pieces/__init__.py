"""Models made of few pieces, trained to stand alone."""
