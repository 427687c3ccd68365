"""The engine on more than one machine: replicas that do the work, and what finds the right one."""
