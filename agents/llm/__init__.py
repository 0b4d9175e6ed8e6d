"""Minds that are language models: views into prompts, replies into options, cassette, budget and ledger."""
