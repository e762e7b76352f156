"""The process that holds capabilities, how it is started, and the messages that it is asked by."""
