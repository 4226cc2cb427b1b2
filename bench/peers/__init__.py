"""The proxies that are measured: one file each, one line each in `PEERS`."""

from __future__ import annotations

from . import bifrons, envoy, haproxy, nginx, varnish
from .base import Job, Peer

# In the order in which they take their turns and stand in the tables.
PEERS: tuple[Peer, ...] = (bifrons.Bifrons(), nginx.Nginx(), haproxy.Haproxy(), varnish.Varnish(), envoy.Envoy())

# The name under test, and those whose best sets the ratio.
OURS = "bifrons"
REFERENCE = ("nginx", "haproxy")
REFERENCE_CACHE = ("nginx", "varnish")

__all__ = ["Job", "OURS", "PEERS", "Peer", "REFERENCE", "REFERENCE_CACHE"]
