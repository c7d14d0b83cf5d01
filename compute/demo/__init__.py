"""A drawn dataset of 600 face pairs and a small model that verifies them.

Nothing here is photographed: identities are codes, pictures are drawings, and for more than a
hundred impostor pairs it is known to the pixel what sets the two faces apart.

The model was trained on other identities, but drawing and training were tuned by its results on
these pairs: its accuracy shows that there is something to explain, and is no held-out figure.
"""

from pathlib import Path

from compute.demo.pairs import DemoDataset, DemoPair, draw_demo

MODEL_PATH = Path(__file__).with_name("demo.onnx")

__all__ = ["MODEL_PATH", "DemoDataset", "DemoPair", "draw_demo"]
