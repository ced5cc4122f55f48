"""What networks see in a picture: people and their joints, colours at those joints, and how alike two people look.

Knows neither shots nor verdicts. `networks` opens the ONNX files · `pose` finds people · `adherence` compares them with
where they should be · `colour` and `identity` tell one from another.
"""
