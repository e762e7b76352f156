"""What a process of the exporter may still ask of the kernel: Landlock and seccomp, by their system calls."""
