"""What is told of a refusal, and to whom? `schema` words an event, `writer` brings it out."""
