"""One module for each question that a run answers; each has `measure(bench) -> Section`."""
