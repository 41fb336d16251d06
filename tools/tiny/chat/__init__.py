"""Conversations that the small chat model learns, and its tokenizer and chat template."""
