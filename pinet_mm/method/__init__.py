"""The method of the paper on tensors and arrays: numpy and torch only."""
