"""The output of `emovox listen`: a screen on terminals, lines elsewhere."""
