"""What is measured, and how: ours and what else one would take, in turn, in one run. docs/speed.md has the results."""
