"""The cost planner: what a configuration will take, estimated before anything starts."""
