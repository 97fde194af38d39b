"""Live audio by WebSocket: one stream per connection, events as JSON."""
