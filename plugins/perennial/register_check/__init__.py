"""A look at what the register says, before a backup or a restore has to rely on it; touches nothing."""
