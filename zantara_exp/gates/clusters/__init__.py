"""What requests have in common: users who ask again, and blocks of time in which something hits everyone.

  shares   which share is meant (`per: request` or `user`), and how many independent requests it is worth
  blocks   evidence that counts blocks of time instead of users
  weeks    whole weeks: enough days, and every weekday among them
  bursts   stretches in which far more failed than users explain, and the sentence about them

Arrays of (simulations, looks) throughout; a verdict is an array of one. A GO needs the evidence of both, users and
blocks; docs/statistics.md has the measured error rates.
"""
