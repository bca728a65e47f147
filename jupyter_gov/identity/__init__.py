"""WHO: principals, kernels, sessions, and how a person attaches a kernel to themselves."""
