"""Names that would break a page, a query or a terminal, if they came through as they are."""

from __future__ import annotations

# An abstract unix name, without its leading NUL, and the `address` label that stands for it.
ABSTRACT = {
    b"plain": "@plain",
    b"": "@",
    b"new\nline": r"@new\x0aline",
    b'"quotes"': '@"quotes"',
    b'{label="value"} 1': '@{label="value"} 1',
    b"nul\0inside\0": r"@nul\x00inside",
    b"back\\slash": r"@back\x5cslash",
    b"back\\nslash": r"@back\x5cnslash",
    b"invalid\xff\xfeutf8\xc3": r"@invalid\xff\xfeutf8\xc3",
    "grüße 漢字 🙂".encode(): "@grüße 漢字 🙂",
    "line\u2028separator\u202e".encode(): r"@line\xe2\x80\xa8separator\xe2\x80\xae",
    b"\n# EOF\n": r"@\x0a# EOF\x0a",
    b"\x1b[31mred\r\t\x7f": r"@\x1b[31mred\x0d\x09\x7f",
    b"long" * 26: "@" + "long" * 26,
}
PROCESS = b'a\n"b\\c\xff'
PROCESS_LABEL = r'a\x0a"b\x5cc\xff'
