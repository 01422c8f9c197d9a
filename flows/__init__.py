"""Prefect lives here only, and thinly: schedule, retry on the next tick, show. The work is `watchfloor.pipeline`'s.

Deployments name dotted entrypoints (`flows.poll_feeds.poll_feeds`); the project is installed where they run. Tasks take
and give plain data and open what they need by themselves. A flow may run twice at once: leases in the archive share the
work out, and a flow that finds nothing due ends at once.
"""
