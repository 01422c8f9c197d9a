"""A small newspaper on loopback, written for this project: what `watchfloor demo` watches and the tests read."""
