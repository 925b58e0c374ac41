"""How model APIs are spoken: a request read into a `Conversation`, an answer written out."""
