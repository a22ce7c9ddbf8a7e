"""From T-SQL's expressions, types and errors to SQLite's and back."""
