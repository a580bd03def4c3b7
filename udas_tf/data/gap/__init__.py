"""How far source and target lie apart: statistics of each, distances between them, what is worth a warning."""
