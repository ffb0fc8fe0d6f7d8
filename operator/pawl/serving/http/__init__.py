"""HTTP/1.1 for the dataplane: an asyncio protocol on httptools (llhttp).

Why not a framework: docs/decisions/0001-http-server.md.
"""
