"""The room of one question: how far apart two networks can be on a large box, where cells are too many to find."""
