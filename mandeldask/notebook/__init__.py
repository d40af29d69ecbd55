"""What notebooks show: the pages of a server inside a cell, and what values look like there."""
