"""Numbers with bounds on their rounding: steps, double-double, triple-double, balls, Taylor models, positions."""
