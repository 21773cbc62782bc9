"""What every answer carries: how exact it is, what ended it, maps and dual graphs by number."""
