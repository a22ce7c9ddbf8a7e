"""AWS: clients, EBS snapshots and volumes, hosts and the scripts that run on them."""
