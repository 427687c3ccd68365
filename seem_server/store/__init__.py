"""What outlives a process: sessions' logs, their images, and answers about them.

A store keeps bytes and knows nothing of what they say. All of its methods block; `service.journal`
calls them from a thread of its own.
"""
