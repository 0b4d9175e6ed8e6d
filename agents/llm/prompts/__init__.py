"""Frames of prompts: versioned texts around a view; ``frame.txt`` for every scenario, ``frame-NAME.txt`` for one."""
