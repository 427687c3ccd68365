"""What a session is: a pure fold over commands and outcomes. Knows no loop, socket or clock."""
