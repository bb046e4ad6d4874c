"""Japanese text: what it hides, what it finds, and when two writings are the same. No I/O, no other room.

    mask          masking forms per data item, on UTF-8 bytes; `Masked[T]`, a value that never shows itself
    items         the vocabulary of data items, and lists of them as contracts write them
    normal        normal forms of names, addresses, phones, dates, postal codes
    checkdigits   check digits of cards, individual and corporate numbers, insurers
    detect        personal data in a stream of bytes
    columns       what a column holds, from its name and a sample

docs/text.md says what each of them cannot do.
"""
