"""The atlas: a complex in the plane as one page that is zoomed, asked and linked; draws and words, computes nothing."""
