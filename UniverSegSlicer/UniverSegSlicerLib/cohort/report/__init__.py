"""The report of a cohort: one page that opens without a server or a network."""
