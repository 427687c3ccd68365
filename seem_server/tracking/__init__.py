"""What a video session remembers, forgets and follows next: pure, without tensors."""
