"""What answers cost: usage read from any API, dated prices of tokens, and how an endpoint is billed."""
