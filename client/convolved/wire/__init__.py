"""The contract in the words of the vocabulary: messages to values and back.

Client and server import the same codec, so what one writes the other reads. Nothing here does
I/O, and nothing is allocated before the numbers that decide its size have been checked.
"""
