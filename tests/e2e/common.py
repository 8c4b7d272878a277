# SPDX-License-Identifier: BSD-2-Clause
"""Lets the test programs of this folder find tests/lib."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
