"""The steps, oldest first, named by number and what they make."""
