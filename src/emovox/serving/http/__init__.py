"""Recordings by HTTP: uploads, jobs, what the service says about itself."""
