"""The lab's cloud: moto answers the AWS calls, and a data plane of folders gives them real effects.

Volumes, snapshots and hosts are folders, CreateSnapshot copies bytes, and scripts sent through SSM truly run. What this
proves and what it cannot prove is said in `data_plane`.
"""
