"""The lab: real clusters on one machine, for the demo, the tests and the benchmarks. Standard library only."""
