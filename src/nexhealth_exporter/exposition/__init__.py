"""What Prometheus reads: name, labels and HELP of every metric, and the page with their samples.

The only package that knows Prometheus' terms.
"""
