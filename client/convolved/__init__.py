"""The client: convolution as a service, array in, array out."""
