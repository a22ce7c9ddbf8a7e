"""What a backup decides: who is due, what an attempt adopts, what a header proves."""
