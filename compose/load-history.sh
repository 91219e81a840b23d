#!/bin/sh
# Load a folder of OpenMetrics files into Prometheus' data, once: load-history.sh HISTORY DATA
set -eu
history=$1
data=$2

if [ -e "$data/history-loaded" ]; then
  echo "The history is loaded already."
  exit 0
fi
for day in "$history"/*.om; do
  promtool tsdb create-blocks-from openmetrics --quiet --max-block-duration=24h "$day" "$data"
done
touch "$data/history-loaded"
