"""SQL Server: sessions, statements, and what is done to a database."""
