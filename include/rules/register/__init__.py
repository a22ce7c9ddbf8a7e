"""Who the tenants are and what they bought."""
