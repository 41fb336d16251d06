"""OpenAI's responses: conversations of which the server may keep the course."""
