"""What networks see in a picture: people, their joints, and the colours at those joints.

Knows neither shots nor verdicts. `networks` opens the ONNX files · `heat` finds joints of anybody · `comparison` holds
them to another picture's · `pose` looks at one person · `adherence` compares him with where he should be · `colour`
reads off what people wear · `novelty` finds colours that another picture has not.
"""
