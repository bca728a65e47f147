"""What an admin tests a policy with: a person who confirms, without a browser."""
