"""Real releases in the lab under real load: what the demo shows and the benchmarks measure."""
