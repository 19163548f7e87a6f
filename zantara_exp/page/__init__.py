"""A page for the people of a team, served on their own machine: who may open it, and how it is served."""

from zantara_exp.page.guard import Guard, policy
from zantara_exp.page.parts import built
from zantara_exp.page.serve import free_port, serve, token_of

__all__ = ["Guard", "built", "free_port", "policy", "serve", "token_of"]
