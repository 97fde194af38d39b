"""What `emovox listen` shows: a screen on terminals, lines elsewhere."""
