"""Who a recipient is, where mail goes and why: lists, relay domains and probes, forwards with SRS, rewriting, delegation, quota, `route`."""
import contextlib
import json
import re
import time

import pytest

from outside import Host, World  # noqa: F401
from peers import Imap, Smtp, smtp
from server import Server
