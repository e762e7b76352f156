"""Completion of the command in bash, zsh and fish, made from the parser of its flags."""
