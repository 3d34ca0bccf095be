"""What happened in the network over time: counts, histograms and gauges in buckets of time.

The log is folded into small buckets, from a second to a day and to the whole, each kept for a
while; a bucket of any width equals the sum of the narrower ones in it. `docs/statistics.md` says
what every number counts.
"""
