"""The web page's rooms: what it does with photos, its visitors' files, and what a request may ask.

A visitor's browser chooses the name of its session and every value it sends: none of them becomes a path.
"""
