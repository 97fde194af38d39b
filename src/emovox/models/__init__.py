"""The networks, the front end inside them, and the classical baseline."""
