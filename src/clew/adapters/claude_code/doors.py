"""placeholder"""
from __future__ import annotations
class Doors:
    def __init__(self, serving): self.serving=serving
    def hook(self, event, payload, *, client_pid=None): return {}
    def mod(self, door, payload): return {}
    def statusline(self, payload): return ""
    def status(self, path): return {}
    def alive_clients(self): return []
