"""Normal forms: two writings of one name, address, phone or date give one string; two different numbers never do.

    fold          width, compatibility forms, invisible characters; hyphens; kanji numerals
    names         names in kanji (old and new characters) and in kana
    addresses     prefecture, place, numbers, building
    phones        telephone numbers in national form
    dates         Western and era dates, spreadsheet serial numbers
    postal        postal codes

Each function is idempotent; where a text is not of its kind the answer is None, never a guess.
docs/text.md lists what these forms cannot do.
"""
