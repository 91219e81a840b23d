"""The Grafana dashboards, in Python.

panels       panels and their queries: what Grafana's JSON looks like
board        a whole dashboard: places, variables, links
queries      the few PromQL phrases that all panels are made of
fleet, institution, exporter     the three dashboards
"""
