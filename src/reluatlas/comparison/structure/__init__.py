"""Do two networks cut a plane alike? Linear regions and bent hyperplanes, matched one to one."""
