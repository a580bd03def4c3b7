"""What a run shows of itself: tables, figures, one page."""
