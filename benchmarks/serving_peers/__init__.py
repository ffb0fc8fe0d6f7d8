"""What `benchmarks.serving` compares Pawl's server with, and how it measures."""
