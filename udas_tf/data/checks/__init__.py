"""What may be wrong with data in ways that a training does not notice, each a `Finding` with its remedy."""
