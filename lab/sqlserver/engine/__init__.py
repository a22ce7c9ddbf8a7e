"""The instance: databases, sessions, locks, principals, transaction log, msdb."""
