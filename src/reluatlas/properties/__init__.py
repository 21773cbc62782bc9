"""The room of one question: whether a property holds on boxes of inputs, for certain."""
