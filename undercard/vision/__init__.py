"""What networks see in a picture: people, their joints, and the colours at those joints.

Knows neither shots nor verdicts. `networks` opens the ONNX files · `pose` finds people · `adherence` compares them with
where they should be · `colour` reads off what they wear.
"""
