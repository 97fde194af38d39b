"""The HTTP side: uploads, jobs, and facts about the service."""
