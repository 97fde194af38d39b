"""The service `emovox serve`: HTTP, WebSocket and page over one shared model."""
