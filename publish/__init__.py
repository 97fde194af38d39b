"""Make the published tables: `python -m publish` writes them from results/, the rest measures what they show."""
