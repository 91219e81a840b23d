"""The exporter's own HTTP server: metrics, pages for people, JSON, probes."""
