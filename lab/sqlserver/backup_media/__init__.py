"""What BACKUP writes and RESTORE reads: files, headers, devices, object storage."""
