"""The desktop of a workspace: its X server runs in the sandbox, and a browser receives pixels and nothing else.

    X server -> ViewerSide -> Picture (the mark drawn in) -> ScreenSide -> Recorder.output -> browser
    browser -> ScreenSide -> keys and pointer -> Recorder.input -> ViewerSide -> X server

screen     what runs inside, and the connection to it
picture    raw pixels in, marked and compressed rectangles out
mark       who, when and which session, drawn into every pixel that is sent
session    DesktopSession: the one pipe, and what ends it
faults     why there is no desktop
"""
