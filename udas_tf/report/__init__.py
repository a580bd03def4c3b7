"""The report of a run and of its data: tables, figures, pages."""
