"""TDS: what goes over the connection, in both directions."""
