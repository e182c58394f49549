"""Where people meet the system: the command line and the roles it starts."""
