"""What was tried, ready to run again: `python -m studies.<name>`."""
