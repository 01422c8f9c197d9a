"""Alerts on their way out: rendered, sent, each to one target. The only place of Apprise."""
