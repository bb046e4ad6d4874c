"""The web face.

app     log in for a door token; the published log, for anyone who wants to check it
"""
