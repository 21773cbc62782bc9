"""The live atlas: the cells of a window are computed while one looks; a local server for one's own browser."""
