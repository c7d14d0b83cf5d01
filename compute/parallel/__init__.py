"""Explaining by many processes: on this machine, or on a Dask cluster.

`shard` is the task of a worker, `judge` cuts pairs into shards and takes what workers leave, `work`
hands tasks out and again where a worker is lost, `processes` and `cluster` are the workers.
"""
