"""Minds: compiled rules, language models, tables and replays."""
