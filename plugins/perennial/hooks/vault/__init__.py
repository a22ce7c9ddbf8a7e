"""The vault: manifests, leases, records and backup files in S3."""
