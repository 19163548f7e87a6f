"""Certified routing: a score `as good as the primary` per request, and the threshold that users not seen vouch for."""
