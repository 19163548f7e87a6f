"""A product to try everything on: an assistant for foreigners in Bali, its users and its chats, made up by a seed.

Questions vary; an answer is determined by what its question names (a visa code, a topic, an area, a home town), so
that a small model can learn it. Prices and rules are invented.
"""
