"""Watchfloor watches the press for one desk: see `watchfloor.pipeline` for the way through the house."""

__version__ = "0.1.0"
