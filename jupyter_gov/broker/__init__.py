"""THE FLOW: one query from request to stream, and the one verb that ends things."""
