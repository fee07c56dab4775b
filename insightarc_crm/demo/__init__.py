"""The demo store: a made-up outdoor shop whose thirty days of history are lived through by the program itself."""
