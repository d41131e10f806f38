"""The contract, version 1: generated stubs, to be imported as `convolved.v1.convolution_pb2`."""
