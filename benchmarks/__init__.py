"""Measuring the program side by side with others: `make bench`, explained in docs/benchmarks/README.md."""
