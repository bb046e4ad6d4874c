"""Japanese text: what it hides, what it finds, and when two writings are the same. No I/O, no other room.

mask          masking forms per data item, on UTF-8 bytes; `Masked[T]`, a value that never shows itself
items         the vocabulary of data items, and lists of them as contracts write them
"""
