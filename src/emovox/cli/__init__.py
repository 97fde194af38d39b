"""One thin file a command; heavy imports stay inside the command."""
