"""What a recording holds besides the voice, on the timeline of the voice."""
