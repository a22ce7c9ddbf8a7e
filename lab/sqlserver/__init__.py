"""A stand-in for SQL Server 2022 over TDS: what Perennial sends to a server, with its semantics and messages.

`python -m lab.sqlserver` serves it. Rows live in SQLite files, one per database; BACKUP and RESTORE write and read a
format of our own. It proves orchestration and that bytes come back; it does not prove SQL Server's own file format.

From the client inwards: `wire` (TDS messages), `session` (one connection's state), `batch` (running statements), then
what the statements do (`queries`, `backup`, `restore`, `database_options`, ...) upon `instance` (the server's state).
`tsql` holds the language: tokens, grammar, statements.
"""
