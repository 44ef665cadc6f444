"""Which videos are good enough to learn from: scores of their stored frames, rules, and what was left out and why."""
