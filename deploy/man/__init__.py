"""The manual page of the command, made from the parser of its flags."""
