"""What benchmarks/serving.py compares Pawl's server with, and how it measures."""
