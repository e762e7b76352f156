"""The processes that hold capabilities, how they are started, and the messages that they are asked by."""
