"""What Perennial knows before it touches anything: its rules, its configuration, its scripts for hosts."""
