"""Systems that take operations and leave events: the reference model, simulators, live clusters."""
