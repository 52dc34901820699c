"""PINet as an ONNX file: its graph, the comparison with PyTorch, 8 bits."""
