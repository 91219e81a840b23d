"""What Prometheus reads: every metric's name, labels and HELP, and the page that is drawn of them.

The only package that knows Prometheus' words.
"""
