"""The paper's experiment: several networks on the same tasks, support sets and queries, beside a bound per task."""
