"""What happens within one stream, and to the bytes that come with it."""
