"""Other people's engines for Qwen-Image-Edit, behind the contract of every backend.

renderer.py           what they have in common once they are open
costs.py              what they take, before anything is opened; loads no torch
calling.py            how a pipeline of diffusers' shape is asked for a request's picture
offloaded.py          diffusers' own pipeline, its layers passing the card one by one
studio.py             DiffSynth-Studio, its weights in fp8
nunchaku_package.py   whether nunchaku's own package is here and goes with the rest; imports neither
nunchaku_model.py     its transformer in diffusers' pipeline
operators.py          lets torchvision, which DiffSynth asks for, stand beside a torch that it was not built for
"""
