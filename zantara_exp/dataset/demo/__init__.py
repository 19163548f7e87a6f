"""A product to try everything on: its users and its chats, made up by a seed from `conf/domain/demo`."""
