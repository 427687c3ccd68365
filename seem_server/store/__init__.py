"""What outlives a process: the sessions' logs, and the images that they are about.

A store keeps bytes and knows nothing of what they say. All of its methods block; `service.journal`
calls them from a thread of its own.
"""
