"""One file a suite. `measure(scale, directory, **options)` does its work in an otherwise idle process."""
