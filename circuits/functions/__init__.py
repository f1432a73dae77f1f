"""Functions of a user's own: ONNX graphs, read strictly, said in a circuit and in plain Python."""
