"""What a lab is filled with: hosts and volumes, real web application trees, databases, and the register of tenants."""
