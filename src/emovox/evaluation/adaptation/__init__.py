"""The adaptation protocol: draws of clips, what they change for each test speaker, and figures over speakers."""
