"""The gateway's process: its tornado application, its pages, its configuration."""
