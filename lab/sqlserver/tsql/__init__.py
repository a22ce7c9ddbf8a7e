"""The T-SQL language as the stand-in reads it: tokens, grammar and the statements they make."""
