"""What holds along one path of pieces: rows, their bounds, and their integers."""
