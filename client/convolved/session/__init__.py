"""What every client does, without doing any I/O.

A method of `Session` is a generator of steps: it yields what is to be called and is sent what
came back, or the error. A shell performs the steps, by gRPC's sync interface or by its asyncio
one, and knows nothing else. Streams are plain classes that are fed with messages.
"""
