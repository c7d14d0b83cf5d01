"""What runs an ONNX model: one interface, several engines, and which of them a run uses.

``session`` is the interface; ``onnx_runtime``, ``nvidia`` and ``openvino`` fill it; ``catalogue``
names the engines and says how far each may be off, ``agreement`` measures it, and ``tuning`` picks
the fastest.
"""
