"""The room `exporter.kernel`, mostly without a kernel: recorded replies, a fake kernel, files of /proc."""
