"""The service: HTTP, WebSocket and page over one shared model (`emovox serve`)."""
