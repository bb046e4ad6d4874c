"""The remote framebuffer protocol (RFC 6143), version 3.8, as two sans-io sides: bytes in, events out, and back.

    browser <- ScreenSide      keys, pointer and requests in; pixels out, Tight and lossless
    ViewerSide -> X server     the same asked for there; pixels in, Raw and CopyRect only

Nothing else has a form here: clipboard text is dropped and counted, and whatever is unknown ends the session.

screen     ScreenSide: we are the server
viewer     ViewerSide: we are the client
updates    raw pixels and moves of one update, as they are told and recorded
tight      TightEncoder: pixels -> rectangles
messages   events; pixel formats; reading in pieces
faults     what is refused
"""
