"""The report of a call: one page about the party that may be analysed."""
