"""What travels between kernel, server and gateway: messages and how they are signed."""
