"""NaN and Inf stay where direct convolution would leave them."""
