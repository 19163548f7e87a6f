"""What a team's own database says of its product: where chats lie, which columns hold what, which languages it has.

Everything here is a guess to be read by a person, made in one read-only transaction over the newest rows.
"""

from zantara_exp.guess.database import Found, look

__all__ = ["Found", "look"]
