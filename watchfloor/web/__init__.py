"""What the house answers over HTTP. Today: whether it lives."""
