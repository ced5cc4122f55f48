"""The optional judge: a vision-language model behind a small OpenAI-compatible HTTP contract, off by default.

`appointment` is who it is, by the settings, and `condition` whether it can be asked · `question` puts a picture before
it · `client` asks · `answer` reads what it says · `hearing` asks with patience and keeps what was said · `opinions`
adds that to the gate's verdict.
"""
