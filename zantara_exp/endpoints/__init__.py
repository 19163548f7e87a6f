"""Clients of things that answer a chat over HTTP."""
