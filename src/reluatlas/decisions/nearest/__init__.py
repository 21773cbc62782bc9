"""The room of one question: how far is the nearest point at which a network decides otherwise? `nearest_class`."""
