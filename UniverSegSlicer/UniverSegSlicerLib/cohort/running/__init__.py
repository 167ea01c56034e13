"""Running a cohort: what is left to do, one case in a worker, and where its results lie."""
