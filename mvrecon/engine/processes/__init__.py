"""Work in child processes, which native code may abort or hang, within a limit of memory."""
