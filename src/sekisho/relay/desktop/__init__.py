"""The desktop of a workspace: its X server runs in the sandbox, and a browser receives pixels and nothing else.

    X server -> ViewerSide -> ReelWriter -> Recorder.output -> Picture (marks drawn in) -> ScreenSide -> browser
    browser -> ScreenSide -> keys and pointer -> Recorder.input -> ViewerSide -> X server

screen     what runs inside, and the connection to it
picture    raw pixels in, marked and compressed rectangles out
mark       who, when and which session, drawn into every pixel that is sent: to be read, and faintly (imprint)
imprint    the faint mark as signs
areas      rectangles of a screen
reel       what the recording keeps of it
session    DesktopSession: the one pipe, and what ends it
faults     why there is no desktop
"""
