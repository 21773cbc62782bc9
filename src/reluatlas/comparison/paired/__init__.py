"""The room of one question: how far apart can two networks be on a large box, where cells are too many to find?"""
